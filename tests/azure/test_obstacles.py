"""What stands in the way on Azure: names, roles, quotas, registrations, and operations that are cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.mgmt.containerregistry.models import (
    Registry,
    RegistryProperties,
    RegistryPropertiesUpdateParameters,
    RegistryUpdateParameters,
    Sku,
)
from azure.mgmt.msi.v2024_11_30.models import Identity
from azure.mgmt.resource.resources.models import ResourceGroup
from azure.mgmt.web.models import Site, SiteProperties

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, LeftoversError, MldeployError
from mldeploy.core.events import Action
from mldeploy.core.verbs import Intent
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.webapp.checks import check_webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.base import Address
from mldeploy.providers.capabilities import Level
from mldeploy.rehearsal.azure import AzureRehearsal, FaultKind, FaultOrder
from mldeploy.testing.promises import Promise, proves
from tests.azure.harness import on_acr, on_webapp, restrict
from tests.rehearsal.azure.clients import Clients
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

ASSIGN = "Microsoft.Authorization/roleAssignments/write"
REGISTRIES, SITES = "Microsoft.ContainerRegistry/registries", "Microsoft.Web/sites"
GROUPS = "Microsoft.Resources/resourceGroups"


@pytest.fixture
def project(tiny: Path) -> Project:
    return project_of(tiny)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def subscription(rehearsal: AzureRehearsal) -> str:
    subscription_id = rehearsal.endpoints.credential("subscription_id")
    assert subscription_id is not None
    return subscription_id.reveal()


def test_a_registrys_name_that_is_somebody_elses(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    name = tags.derive_registry_name(project.app.name, subscription(rehearsal))
    rehearsal.reserve_name(REGISTRIES, name)
    harness = on_acr(rehearsal, project, state)
    refused = harness.fail()
    assert refused.exit_code is ExitCode.REFUSED
    assert f"registry {name}: the name is taken" in str(refused)
    assert "`registry` in [target.acr]" in refused.todo
    assert on_acr(rehearsal, project, state, registry="mldeployother").deploy().out is not None


def test_a_sites_name_that_is_somebody_elses(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    rehearsal.reserve_name(SITES, "insurance-quotes")
    harness = on_webapp(rehearsal, project, state, name="insurance-quotes")
    refused = harness.fail()
    assert refused.exit_code is ExitCode.REFUSED
    assert "site insurance-quotes: the name is taken" in str(refused)
    assert "`name` in [target.webapp]" in refused.todo
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_whoever_may_not_assign_roles_is_told_of_the_admin_user(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, ASSIGN, times=0))
    denied = on_webapp(rehearsal, project, state).fail()
    assert denied.exit_code is ExitCode.ACCESS
    assert f"has no permission for {ASSIGN}" in denied.what
    assert "--registry-auth admin" in denied.todo

    harness = on_webapp(rehearsal, project, state, registry_auth="admin")
    out = harness.deploy().out
    assert isinstance(out, Address)
    assert any("admin user is enabled" in remark for remark in out.remarks)
    assert any("admin user is enabled" in note for note in harness.notes)
    assert harness.kinds()["Microsoft.Authorization/roleAssignments"] == 0
    assert {step.action for step in harness.deploy().steps} == {Action.UNCHANGED}
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_no_password_is_in_the_journal(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    on_webapp(rehearsal, project, state, registry_auth="admin").deploy()
    clients = Clients(rehearsal)
    group, name = (
        tags.resource_name(project.app.name),
        tags.derive_registry_name(project.app.name, subscription(rehearsal)),
    )
    passwords = [
        each.value or "" for each in clients.registries.registries.list_credentials(group, name).passwords or ()
    ]
    written = [path.read_text() for path in state.rglob("*") if path.is_file()]
    assert written
    assert passwords
    assert not any(password in text for password in passwords for text in written)


def test_a_role_that_is_not_known_yet_is_waited_for(slow: AzureRehearsal, project: Project, state: Path) -> None:
    """The registry refuses the first pull, which would look like a missing permission."""
    slow.delay_roles(requests=1)
    harness = on_webapp(slow, project, state)
    assert isinstance(harness.deploy().out, Address)
    service = harness.scene.service
    assert any("ImagePullUnauthorizedFailure" in line for line in service.logs(follow=False, tail=0))
    assert [each.state for each in service.releases()] == ["serving"]
    assert {step.action for step in harness.deploy().steps} == {Action.UNCHANGED}
    harness.scene.destroy()


def test_a_quota_that_is_used_up_is_named(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    rehearsal.set_quota("Basic", 0)
    harness = on_webapp(rehearsal, project, state)
    refused = harness.fail()
    assert refused.exit_code is ExitCode.REMOTE
    assert "quota" in refused.what
    assert "`region`" in refused.todo
    assert isinstance(on_webapp(rehearsal, project, state, sku="S1").deploy().out, Address)


def test_what_is_not_registered_is_named_in_the_plan_and_registered(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    harness = on_webapp(rehearsal, project, state, sku="S1", max=2)
    named = {"ContainerRegistry", "ManagedIdentity", "Web", "Insights"}
    expected = {f"resource-provider Microsoft.{each}" for each in named}
    planned = {str(each.resource) for each in harness.scene.plan().changes if each.intent is Intent.CREATE}
    assert expected <= planned
    rehearsal.faults.inject(FaultOrder(FaultKind.CUT_AFTER, "Microsoft.Web/register/action"))
    harness.deploy()
    assert not expected & {str(each) for each in harness.scene.destroy().removed}
    again = {str(each.resource): each.intent for each in harness.scene.plan().changes}
    assert {again[each] for each in expected} == {Intent.UNCHANGED}


def test_a_poller_that_is_cut_off_is_taken_up_again(slow: AzureRehearsal, project: Project, state: Path) -> None:
    """Beyond the SDK's own patience; the registry is not ordered twice."""
    status = "Microsoft.ContainerRegistry/registries/operationStatuses/read"
    slow.faults.inject(FaultOrder(FaultKind.CUT_BEFORE, status, times=6))
    harness = on_acr(slow, project, state)
    harness.deploy()
    assert harness.count(f"{REGISTRIES}/write") == 1
    assert slow.faults.wait_for_injections(within=0) >= 6


def test_whoever_asks_too_often_is_answered_a_little_later(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    """By the SDK's older clients and by its newer ones."""
    for action in ("Microsoft.Authorization/roleAssignments/read", "Microsoft.Web/sites/write"):
        rehearsal.faults.inject(FaultOrder(FaultKind.THROTTLE, action))
    assert on_webapp(rehearsal, project, state).deploy().out is not None
    assert rehearsal.faults.wait_for_injections(within=0) == 2


def test_an_operation_that_fails_is_told(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.ERROR, f"{REGISTRIES}/write", times=0))
    failed = on_acr(rehearsal, project, state).fail()
    assert failed.exit_code is ExitCode.REMOTE
    assert "it resumes" in failed.todo


def test_a_group_that_was_there_before_stays(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    others.resources.resource_groups.create_or_update("shared", ResourceGroup(location="northeurope", tags={"a": "b"}))
    harness = on_webapp(rehearsal, project, state, resource_group="shared")
    harness.deploy()
    harness.scene.destroy()
    assert [(each.kind, each.name, each.tags) for each in rehearsal.contents()] == [(GROUPS, "shared", {"a": "b"})]


def test_a_group_is_not_removed_with_what_somebody_has_put_into_it(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    harness = on_webapp(rehearsal, project, state)
    harness.deploy()
    group = tags.resource_name(project.app.name)
    others.identities.user_assigned_identities.create_or_update(group, "theirs", Identity(location="westeurope"))
    contents = r"still contains Microsoft\.ManagedIdentity/userAssignedIdentities theirs"
    with pytest.raises(LeftoversError, match=contents):
        harness.scene.destroy()
    assert harness.kinds() == {GROUPS: 1, "Microsoft.ManagedIdentity/userAssignedIdentities": 1}
    others.identities.user_assigned_identities.delete(group, "theirs")
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_a_registry_of_somebody_elses_is_used_as_it_is(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    others.resources.providers.register("Microsoft.ContainerRegistry")
    others.resources.resource_groups.create_or_update("shared", ResourceGroup(location="westeurope"))
    theirs = Registry(location="westeurope", sku=Sku(name="Premium"), properties=RegistryProperties())
    others.registries.registries.begin_create("shared", "companyimages", theirs).result()
    harness = on_webapp(rehearsal, project, state, resource_group="shared", registry="companyimages")
    harness.deploy()
    harness.scene.destroy()
    assert harness.kinds() == {GROUPS: 1, REGISTRIES: 1, "Microsoft.ContainerRegistry/manifests": 1}
    admin = on_webapp(
        rehearsal, project, state, resource_group="shared", registry="companyimages", registry_auth="admin"
    )
    assert admin.fail().exit_code is ExitCode.REFUSED


@proves(Promise.POLICY, targets=("webapp",))
def test_a_registry_that_knows_only_permissions_on_repositories(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    """There, AcrPull and AcrPush do not count. The caller has what `mldeploy policy` prints."""
    for namespace in ("Microsoft.ContainerRegistry", "Microsoft.Web", "Microsoft.ManagedIdentity"):
        others.resources.providers.register(namespace)
    others.resources.resource_groups.create_or_update("shared", ResourceGroup(location="westeurope"))
    abac = RegistryProperties(role_assignment_mode="AbacRepositoryPermissions")
    theirs = Registry(location="westeurope", sku=Sku(name="Premium"), properties=abac)
    others.registries.registries.begin_create("shared", "companyimages", theirs).result()
    harness = on_webapp(rehearsal, project, state, resource_group="shared", registry="companyimages")
    restrict(rehearsal, harness.provider, harness.settings, project)
    assert isinstance(harness.deploy().out, Address)
    settings = WebappSettings.model_validate({"resource_group": "shared", "registry": "companyimages"})
    findings = check_webapp("webapp", project, settings, rehearsal.endpoints)
    assert any("ABAC mode" in each.what for each in findings if each.level is Level.WARNING)
    assert harness.scene.plan().is_noop
    harness.scene.destroy()
    assert harness.kinds() == {GROUPS: 1, REGISTRIES: 1, "Microsoft.ContainerRegistry/manifests": 1}


def test_a_registry_of_ours_may_be_set_to_repositories_later(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    """It is created with roles on the registry. Where somebody changes that, the app gets the other role."""
    harness = on_webapp(rehearsal, project, state)
    harness.deploy()
    name = tags.derive_registry_name(project.app.name, subscription(rehearsal))
    abac = RegistryPropertiesUpdateParameters(role_assignment_mode="AbacRepositoryPermissions")
    update = RegistryUpdateParameters(properties=abac)
    others.registries.registries.begin_update(tags.resource_name(project.app.name), name, update).result()
    restrict(rehearsal, harness.provider, harness.settings, project)
    assert {each.resource.kind for each in harness.scene.plan().changes if each.intent is Intent.CREATE} == {
        "pull-role"
    }
    harness.deploy()
    assert harness.scene.plan().is_noop
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_a_plan_with_a_site_of_somebody_elses_stays_and_says_so(
    rehearsal: AzureRehearsal, others: Clients, project: Project, state: Path
) -> None:
    harness = on_webapp(rehearsal, project, state)
    harness.deploy()
    group = tags.resource_name(project.app.name)
    (plan,) = others.web.app_service_plans.list_by_resource_group(group)
    site = Site(location="westeurope", properties=SiteProperties(server_farm_id=plan.id, reserved=True))
    others.web.web_apps.begin_create_or_update(group, "theirs", site).result()
    with pytest.raises(MldeployError, match=r"web app\(s\) theirs assigned"):
        harness.scene.destroy()
    others.web.web_apps.delete(group, "theirs", delete_empty_server_farm=False)
    harness.scene.destroy()
    assert rehearsal.contents() == ()


def test_a_log_that_is_not_returned_holds_up_nothing(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    """The service that reads it starts at its first request, and fails until then."""
    rehearsal.faults.inject(FaultOrder(FaultKind.ERROR, "Microsoft.Web/sites/containerlogs/action", times=0))
    harness = on_webapp(rehearsal, project, state)
    assert isinstance(harness.deploy().out, Address)
    rehearsal.faults.clear()
    rehearsal.faults.inject(FaultOrder(FaultKind.ERROR, "Microsoft.Web/sites/containerlogs/action"))
    assert any("Site started" in line for line in harness.scene.service.logs(follow=False, tail=0))


def test_the_smallest_premium_size_has_a_tier_of_its_own(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    harness = on_webapp(rehearsal, project, state, sku="P0v3")
    assert isinstance(harness.deploy().out, Address)
    assert harness.scene.plan().is_noop


def test_a_new_subscription_at_its_worst(rehearsal: AzureRehearsal, own: Path, tmp_path: Path) -> None:
    """Everything comes late or fails at first, and answers have members that nobody knows."""
    rehearsal.be_harsh()
    harness = on_webapp(rehearsal, project_of(own), tmp_path / "state")
    assert isinstance(harness.deploy().out, Address)
    assert harness.scene.plan().is_noop
    edit(own)
    harness.project = project_of(own)
    assert isinstance(harness.deploy().out, Address)
    assert [each.state for each in harness.scene.service.releases()] == ["serving", "old"]
    harness.scene.destroy()
    assert rehearsal.contents() == ()


@pytest.mark.exhaustive
def test_instances_whose_state_nobody_tells_count_once_the_app_answers(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    harness = on_webapp(rehearsal, project, state)
    harness.deploy()
    rehearsal.be_harsh()
    harness.scene.service.scale(2, harness.scene.monitor)
    assert len(harness.scene.service.instances()) == 2


def test_a_group_whose_removal_is_not_confirmed_is_gone(
    rehearsal: AzureRehearsal, project: Project, state: Path
) -> None:
    """The removal is repeated although the resource is already deleted."""
    harness = on_acr(rehearsal, project, state)
    harness.deploy()
    rehearsal.faults.inject(FaultOrder(FaultKind.CUT_AFTER, "Microsoft.Resources/subscriptions/resourceGroups/delete"))
    assert harness.scene.destroy().removed
    assert rehearsal.contents() == ()


def test_a_region_cannot_change_under_an_app(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    harness = on_webapp(rehearsal, project, state)
    harness.deploy()
    endpoints = rehearsal.endpoints
    moved = Endpoints(endpoints.url, endpoints.credentials, "northeurope", endpoints.ca_bundle, endpoints.services)
    scene = harness.scene
    elsewhere = type(scene)(scene.provider, scene.settings, moved, scene.project, scene.state)
    with pytest.raises(Exception, match="is in westeurope, and the configuration says northeurope"):
        elsewhere.plan()


def test_the_doctor_says_what_is_in_the_way(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    settings = WebappSettings.model_validate({"sku": "S1", "max": 2})
    before = list(check_webapp("webapp", project, settings, rehearsal.endpoints))
    assert {each.level for each in before} == {Level.OK, Level.WARNING}
    assert {each.subject for each in before if each.level is Level.WARNING} == {"resource providers"}
    on_webapp(rehearsal, project, state, sku="S1", max=2).deploy()
    rehearsal.set_quota("Standard", 1)
    after = list(check_webapp("webapp", project, settings, rehearsal.endpoints))
    assert {each.subject for each in after if each.level is not Level.OK} <= {"quota"}
    assert any("owned by the app" in each.what for each in after if each.subject == "registry")
    rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, f"{REGISTRIES}/read", times=0))
    denied = [
        each for each in check_webapp("webapp", project, settings, rehearsal.endpoints) if each.level is Level.ERROR
    ]
    assert any(f"{REGISTRIES}/read" in each.what for each in denied)


def test_a_look_registers_nothing(rehearsal: AzureRehearsal, project: Project, state: Path) -> None:
    """The SDK registers a missing provider by itself on the first request."""
    harness = on_webapp(rehearsal, project, state)
    harness.scene.plan()
    harness.scene.destroy()
    assert not [call.action for call in rehearsal.calls() if call.writing]
