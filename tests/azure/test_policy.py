"""`mldeploy policy` prints roles that Azure creates, that suffice, and that have nothing to spare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mldeploy.config import load
from mldeploy.config.access_keys import STORED
from mldeploy.core.errors import ExitCode
from mldeploy.providers.azure.permissions import DATA_ACTIONS
from mldeploy.providers.azure.webapp.checks import check_webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.base import Address
from mldeploy.providers.capabilities import Level
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.rehearsal.azure.arm.custom_roles import known_actions
from mldeploy.testing.promises import Promise, proves
from tests.azure.harness import AzureHarness, on_acr, on_webapp, policy_of, restrict
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

VAULT = "https://shop.vault.azure.net/secrets/api-key"
LARGE = {"sku": "S1", "max": 2, "secrets": {"API_KEY": VAULT}}
SECRET = "GREETING_KEY"
SITES = "Microsoft.Web/sites"
IN_ABAC_MODE = dict.fromkeys(DATA_ACTIONS, "only in a registry of others that has the ABAC mode")
NEVER: Mapping[str, str] = {
    **IN_ABAC_MODE,
    f"{SITES}/slots/restart/action": "only while a new role does not count yet",
    f"{SITES}/restart/action": "only while a new role does not count yet, or to finish an interrupted rollout",
}
SLOTS = ("config/list", "config/read", "containerlogs", "delete", "operationresults", "read", "restart", "write")
"""Beginnings of the actions on slots."""
WITHOUT_SLOTS: Mapping[str, str] = {
    **NEVER,
    **{f"{SITES}/slots/{each}": "a size without slots" for each in SLOTS},
    f"{SITES}/slotsswap": "a size without slots",
    f"{SITES}/config/write": "a size without slots",
    "Microsoft.Insights": "no autoscaling",
}
BY_ADMIN = {**WITHOUT_SLOTS, f"{SITES}/config/appsettings": "no secrets that the app gets"}


def lived(harness: AzureHarness, folder: Path) -> None:
    """Set secrets, deploy, try a candidate, change, go back, grow, stop, look, and remove."""
    settings = harness.settings
    assert isinstance(settings, WebappSettings)
    name = STORED if settings.by_admin else SECRET  # without role assignments, the app itself can read none
    for value in ("one", "two"):
        harness.scene.set_secret(name, value)
    harness.deploy()
    edit(folder)
    harness.project = project_of(folder)
    monitor = harness.scene.monitor
    if settings.tier.slots:
        harness.scene.place_candidate()
        harness.scene.traffic.shift(10, monitor)
        harness.scene.traffic.abort(monitor)
    assert harness.scene.unset_secret(name)
    harness.deploy()
    service = harness.scene.service
    service.rollback("1", monitor)
    if settings.max is None:
        service.scale(2, monitor)
    service.stop()
    harness.deploy()
    list(service.logs(follow=False, tail=1))
    service.instances()
    findings = tuple(check_webapp("webapp", harness.project, settings, harness.rehearsal.endpoints))
    assert {each.level for each in findings if each.subject != "registry"} == {Level.OK}, findings
    harness.scene.destroy()


@proves(Promise.POLICY, Promise.AUTOSCALING, targets=("webapp",))
@pytest.mark.parametrize(
    ("values", "never"),
    [
        pytest.param(LARGE, NEVER, id="large"),
        pytest.param({}, WITHOUT_SLOTS, id="small", marks=pytest.mark.exhaustive),
        pytest.param({"registry_auth": "admin"}, BY_ADMIN, id="admin", marks=pytest.mark.exhaustive),
    ],
)
def test_the_roles_suffice_and_have_nothing_to_spare(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, values: dict[str, object], never: Mapping[str, str]
) -> None:
    """The caller has nothing else, on polling addresses, linked resources and in the registry, too."""
    rehearsal.add_secret(VAULT, "s3cr3t")
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state", **values)
    allowed = restrict(rehearsal, harness.provider, harness.settings, harness.project)
    lived(harness, own)
    assert rehearsal.contents() == ()
    spare = allowed - rehearsal.used_actions()
    assert {each for each in spare if not each.startswith(tuple(name.lower() for name in never))} == set()
    assert ("microsoft.authorization/roleassignments/write" in allowed) is not ("registry_auth" in values)


@pytest.mark.parametrize(
    "action",
    [
        "Microsoft.ContainerRegistry/registries/operationStatuses/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        "Microsoft.Web/serverfarms/join/action",
        pytest.param("Microsoft.Web/sites/operationresults/read", marks=pytest.mark.exhaustive),
        pytest.param("Microsoft.Authorization/roleAssignments/write", marks=pytest.mark.exhaustive),
    ],
)
def test_a_role_without_one_of_its_actions_is_named_and_completed(
    rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path, action: str
) -> None:
    """On the address of an operation, and on another resource that a site names."""
    harness = on_webapp(rehearsal, project_of(tiny), tmp_path / "state")
    policy = policy_of(harness.provider, harness.cloud)
    rehearsal.restrict(json.loads(json.dumps(policy).replace(f'"{action}", ', "")))
    denied = harness.fail()
    assert denied.exit_code is ExitCode.ACCESS
    assert action in denied.what
    rehearsal.restrict(policy)
    assert isinstance(harness.deploy().out, Address)
    harness.scene.destroy()
    assert rehearsal.contents() == ()


@proves(Promise.POLICY, targets=("acr", "webapp"))
def test_every_action_is_one_that_microsoft_publishes(rehearsal: AzureRehearsal, tmp_path: Path) -> None:
    """Azure refuses to create a role with any other."""
    project = load.named("paper", "a test")
    targets = (on_webapp(rehearsal, project, tmp_path), on_acr(rehearsal, project, tmp_path, registry_auth="admin"))
    for harness in targets:
        allowed = restrict(rehearsal, harness.provider, harness.settings, project)
        assert allowed <= known_actions()[False] | known_actions()[True]
    policy = json.dumps(policy_of(harness.provider, harness.cloud))
    wrong = json.loads(policy.replace("registries/operationStatuses/read", "locations/operationStatuses/read"))
    with pytest.raises(ValueError, match="InvalidActionOrNotAction"):
        rehearsal.restrict(wrong)
