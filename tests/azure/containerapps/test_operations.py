"""What a user does with an app on Container Apps, and what goes wrong; the apps answer without a container."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.app.causes import About
from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import ExitCode, QuotaError, RefusedError
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import deploy
from mldeploy.providers.azure.containerapps.apps import describe_app
from mldeploy.providers.azure.containerapps.checks import check_containerapps
from mldeploy.providers.azure.containerapps.provider import provider
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import AzureError
from mldeploy.providers.base import Address
from mldeploy.providers.capabilities import Level
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.traffic import Candidate, CanSplitTraffic, Traffic
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.rehearsal.azure.arm.custom_roles import known_actions
from mldeploy.testing.promises import Promise, proves
from tests.azure.harness import AzureHarness, on_containerapps, restrict
from tests.azure.test_versions import golden
from tests.names import record
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

DOMAIN = "insurance.example.com"
NEVER = (
    "Microsoft.ContainerRegistry/registries/repositories",
    "Microsoft.App/containerApps/listCustomHostNameAnalysis",
    "Microsoft.App/managedEnvironments/managedCertificates",
    "Microsoft.App/locations/managedCertificateOperationStatuses",
    "Microsoft.App/containerApps/getAuthToken",
    "Microsoft.App/locations/usages",
)
SECRET = "GREETING_KEY"
"""Only for registries in the ABAC mode, for a domain, for the logs of a failed version, and before the first one."""


@pytest.fixture
def harness(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> AzureHarness:
    return on_containerapps(rehearsal, project_of(own), tmp_path / "state")


def changed(harness: AzureHarness, folder: Path) -> None:
    edit(folder)
    harness.project = project_of(folder)


def start_candidate(harness: AzureHarness) -> Candidate:
    """What `mldeploy deploy --canary` starts with."""
    cloud, settings = harness.cloud, harness.settings
    assert isinstance(settings, ContainerAppsSettings)
    scope = Scope(harness.project.app.name, provider.name, provider.place(cloud))
    with Journal(harness.state, scope, "test") as journal:
        session = Session(cloud, journal, Cancel(), harness.heard.append)
        return deploy(provider.candidate(harness.project, settings), session).out


def traffic_of(harness: AzureHarness) -> Traffic:
    assert isinstance(harness.settings, ContainerAppsSettings)
    return provider.traffic(harness.cloud, harness.project, harness.settings)


def states(harness: AzureHarness) -> list[tuple[str, str]]:
    return [(each.revision, each.state) for each in harness.scene.service.releases()]


@proves(Promise.POLICY, Promise.AUTOSCALING, targets=("containerapps",))
def test_the_roles_suffice_and_have_nothing_to_spare(harness: AzureHarness, own: Path) -> None:
    """Deploy, change, go back, grow, stop, look and remove, with the printed roles alone."""
    allowed = restrict(harness.rehearsal, harness.provider, harness.settings, harness.project)
    assert allowed <= known_actions()[False] | known_actions()[True]
    for value in ("one", "two"):
        harness.scene.set_secret(SECRET, value)
    harness.deploy()
    changed(harness, own)
    assert harness.scene.unset_secret(SECRET)
    harness.deploy()
    service, monitor = harness.scene.service, harness.scene.monitor
    service.rollback("1", monitor)
    service.scale(2, monitor)
    assert len(service.instances()) == 2
    service.stop()
    assert service.url() is None
    harness.deploy()
    assert isinstance(harness.settings, ContainerAppsSettings)
    findings = check_containerapps("containerapps", harness.project, harness.settings, harness.rehearsal.endpoints)
    assert {each.level for each in findings if each.subject != "registry"} == {Level.OK}
    harness.scene.destroy()
    assert harness.rehearsal.contents() == ()
    spare = allowed - harness.rehearsal.used_actions()
    assert {each for each in spare if not each.startswith(tuple(name.lower() for name in NEVER))} == set()


def test_a_candidate_gets_its_share_and_then_everything(harness: AzureHarness, own: Path) -> None:
    assert isinstance(provider, CanSplitTraffic)
    harness.deploy()
    changed(harness, own)
    candidate = start_candidate(harness)
    assert candidate.url.startswith("https://")
    traffic, monitor = traffic_of(harness), harness.scene.monitor
    beside = traffic.split()
    assert beside is not None
    assert (beside.stable.revision, beside.candidate, beside.percent) == ("1", candidate.release, 0)
    assert traffic.shift(10, monitor).percent == traffic.shift(10, monitor).percent == 10
    with traffic.reach("2") as url:
        assert url == candidate.url
    refused = harness.fail()
    assert isinstance(refused, RefusedError)
    assert "canary promote" in refused.todo
    assert "canary abort" in refused.todo
    with pytest.raises(RefusedError):
        harness.scene.service.rollback(None, monitor)
    assert traffic.promote(monitor).url == harness.scene.service.url()
    assert states(harness) == [("2", "serving"), ("1", "old")]
    assert traffic.split() is None
    with pytest.raises(AbsentError):
        traffic.promote(monitor)
    with pytest.raises(AbsentError), traffic.reach("1"):
        pass
    assert harness.scene.plan().is_noop
    harness.scene.destroy()


def test_a_candidate_that_is_aborted_or_replaced_leaves_the_serving_version(harness: AzureHarness, own: Path) -> None:
    with pytest.raises(Exception, match="no version serves yet"):
        start_candidate(harness)
    harness.deploy()
    first = harness.project
    changed(harness, own)
    start_candidate(harness)
    traffic, monitor = traffic_of(harness), harness.scene.monitor
    traffic.shift(50, monitor)
    assert traffic.abort(monitor)
    assert not traffic.abort(monitor)
    with pytest.raises(AbsentError):
        traffic.shift(10, monitor)
    assert states(harness) == [("2", "failed"), ("1", "serving")]
    assert start_candidate(harness).release.revision == "3"
    changed(harness, own)
    assert start_candidate(harness).release.revision == "4"
    app = describe_app(harness.cloud, harness.cloud.app_key)
    assert app is not None
    assert [each.number for each in app.revisions if each.active] == [4, 1]
    traffic.abort(monitor)
    harness.project = first
    harness.scene.destroy()


@proves(Promise.GOLDEN_ROW, Promise.OLD_VERSION, targets=("containerapps",))
def test_a_version_with_a_wrong_answer_gets_no_request(harness: AzureHarness, own: Path, tmp_path: Path) -> None:
    harness.project = golden(harness.project, tmp_path / "golden.json", {})
    harness.deploy()
    changed(harness, own)
    harness.project = golden(harness.project, tmp_path / "golden.json", {"prediction": 1})
    verdict = harness.fail()
    assert isinstance(verdict, VerdictError)
    assert verdict.exit_code is ExitCode.FAILED
    assert verdict.about is About.GOLDEN
    assert states(harness) == [("2", "failed"), ("1", "serving")]
    app = describe_app(harness.cloud, harness.cloud.app_key)
    assert app is not None
    assert [(each.number, each.weight) for each in app.revisions if each.active] == [(1, 100)]
    with pytest.raises(AbsentError, match="revision 1 serves again already"):
        harness.scene.service.rollback(None, harness.scene.monitor)


@proves(Promise.DOMAIN, targets=("containerapps",))
def test_a_domain_gets_its_certificate_once_the_records_are_there(
    rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path
) -> None:
    harness = on_containerapps(rehearsal, project_of(tiny), tmp_path / "state", domain=DOMAIN, rollout_timeout=60)
    impatient = on_containerapps(rehearsal, project_of(tiny), tmp_path / "state", domain=DOMAIN, rollout_timeout=20)
    missing = impatient.fail()
    assert isinstance(missing, AzureError)
    app = describe_app(harness.cloud, harness.cloud.app_key)
    assert app is not None
    assert f"CNAME {DOMAIN} → {app.fqdn}" in missing.todo
    assert f"TXT asuid.{DOMAIN} → {app.verification}" in missing.todo
    rehearsal.set_records("CNAME", DOMAIN, app.fqdn)
    rehearsal.set_records("TXT", f"asuid.{DOMAIN}", app.verification)
    out = harness.deploy().out
    assert isinstance(out, Address)
    assert out.url.startswith(f"https://{DOMAIN}")
    assert harness.scene.plan().is_noop
    assert harness.scene.service.url() == out.url
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_an_environment_of_others_is_used_and_stays(rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path) -> None:
    """Small subscriptions may have one environment in a region."""
    project = project_of(tiny)
    theirs = replace(project, app=replace(project.app, name=record(f"{project.app.name}x")))
    other = on_containerapps(rehearsal, theirs, tmp_path / "other")
    other.deploy()
    environment = f"{other.cloud.group_id}/providers/Microsoft.App/managedEnvironments/mldeploy-{theirs.app.name}"
    rehearsal.set_quota("Microsoft.App/managedEnvironments", 1)
    settings = other.settings
    assert isinstance(settings, ContainerAppsSettings)
    (listed,) = provider.apps(other.cloud, settings)
    assert (listed.name, listed.is_sized, listed.settings.resource_group) == (theirs.app.name, True, other.cloud.group)
    found = check_containerapps("containerapps", project, settings, rehearsal.endpoints)
    assert [each.level for each in found if each.subject == "quota"] == [Level.ERROR]
    crowded = on_containerapps(rehearsal, project, tmp_path / "state").fail()
    assert isinstance(crowded, QuotaError)
    assert "environment" in crowded.todo
    harness = on_containerapps(rehearsal, project, tmp_path / "state", environment=environment)
    harness.deploy()
    harness.scene.destroy()
    assert other.kinds()["Microsoft.App/managedEnvironments"] == 1
    other.scene.destroy()


def test_an_environment_that_is_not_there_is_named(harness: AzureHarness) -> None:
    wrong = on_containerapps(
        harness.rehearsal, harness.project, harness.state, environment="nobodys-environment"
    ).fail()
    assert isinstance(wrong, AbsentError)
    assert wrong.exit_code is ExitCode.REMOTE
    harness.scene.destroy()
    assert harness.rehearsal.contents() == ()
