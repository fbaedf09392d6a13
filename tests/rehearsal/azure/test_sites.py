"""Sites and slots: errors, configuration, logs, swaps. No containers."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.mgmt.web.models import CsmSlotEntity, SiteConfig, SiteConfigResource, SiteRuntimeState, StringDictionary

from mldeploy.image.engine import Engine
from tests.rehearsal.account import eventually
from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, REGION, SITE, Estate, plan_in

pytestmark = pytest.mark.engine
PATH = f"/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/{SITE}"


@pytest.fixture
def standard(azure: Clients, engine: Engine, scrap: str) -> Estate:
    """One whose plan has slots."""
    made = Estate.made(azure, engine, "S1", base=scrap)
    made.assign()
    return made


def test_a_name_is_one_of_a_kind_in_the_world(azure: Clients, estate: Estate) -> None:
    azure.rehearsal.reserve_name("Microsoft.Web/sites", SITE)
    answer = azure.web.check_name_availability({"name": SITE, "type": "Site"})
    assert (answer.name_available, answer.reason) == (False, "AlreadyExists")
    assert catch_error(estate.deploy) == (409, "Conflict")
    assert catch_error(lambda: estate.deploy(name="-x")) == (400, "BadRequest")
    assert azure.web.check_name_availability({"name": "fresh", "type": "Site"}).name_available


def test_what_the_sku_cannot_do_is_refused(azure: Clients, estate: Estate) -> None:
    estate.deploy()
    assert catch_error(estate.deploy_slot) == (409, "Conflict")
    plan_in(azure, "F1", name="free")
    free = f"{estate.plan.rpartition('/')[0]}/free"
    other = Estate(azure, estate.login, estate.image, estate.identity, free, estate.registry)
    assert catch_error(lambda: other.deploy(name="free-app", always_on=True)) == (409, "Conflict")
    lost = Estate(azure, estate.login, estate.image, estate.identity, free + "x", estate.registry)
    assert catch_error(lambda: lost.deploy(name="lost-app")) == (404, "NotFound")


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"siteConfig": {"healthCheck": "/"}}, "InvalidRequestContent"),
        ({"siteConfig": {"alwaysOn": "yes"}}, "InvalidRequestContent"),
        ({"siteConfig": {"ftpsState": "Sometimes"}}, "InvalidRequestContent"),
        ({"siteConfig": {"appSettings": [{"value": "x"}]}}, "InvalidRequestContent"),
        ({"httpOnly": True}, "InvalidRequestContent"),
    ],
)
def test_content_that_is_wrong_is_refused(estate: Estate, properties: dict[str, Any], code: str) -> None:
    body = {"location": REGION, "properties": {"serverFarmId": estate.plan, **properties}}
    answer = estate.azure.arm(f"PUT {PATH}", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_an_identity_must_exist_before_it_is_assigned(azure: Clients, estate: Estate) -> None:
    azure.identities.user_assigned_identities.delete(GROUP, estate.identity.name)
    assert catch_error(estate.deploy) == (400, "FailedIdentityOperation")


def test_what_is_configured_is_told(azure: Clients, estate: Estate) -> None:
    estate.deploy(health_check_path="/health", ftps_state="Disabled")
    config = azure.web.web_apps.get_configuration(GROUP, SITE).properties
    assert config is not None
    assert (config.linux_fx_version, config.health_check_path) == (f"DOCKER|{estate.image}", "/health")
    settings = azure.web.web_apps.list_application_settings(GROUP, SITE).properties
    assert settings == {"WEBSITES_PORT": "8080"}
    site = azure.web.web_apps.get(GROUP, SITE)
    assert site.properties is not None
    assert site.properties.state == "Running"
    assert (site.tags, site.properties.https_only) == ({"owner": "shop"}, True)
    assert site.identity is not None
    assert [each.principal_id for each in (site.identity.user_assigned_identities or {}).values()] == [
        estate.identity.principal_id
    ]


def test_settings_are_replaced_as_a_whole_and_configuration_is_merged(azure: Clients, estate: Estate) -> None:
    estate.deploy(settings={"A": "1"}, health_check_path="/health")
    apps = azure.web.web_apps
    apps.update_application_settings(GROUP, SITE, StringDictionary(properties={"B": "2"}))
    assert apps.list_application_settings(GROUP, SITE).properties == {"B": "2"}
    apps.update_configuration(GROUP, SITE, SiteConfigResource(properties=SiteConfig(always_on=True)))
    config = apps.get_configuration(GROUP, SITE).properties
    assert config is not None
    assert (config.always_on, config.health_check_path) == (True, "/health")


def test_logging_is_configured_in_a_place_of_its_own_too(azure: Clients, estate: Estate) -> None:
    estate.up(estate.deploy(http_logging_enabled=False))
    apps = azure.web.web_apps
    logs: Any = {"properties": {"httpLogs": {"fileSystem": {"enabled": True, "retentionInMb": 50}}}}
    apps.update_diagnostic_logs_config(GROUP, SITE, logs)
    config = apps.get_configuration(GROUP, SITE).properties
    assert config is not None
    assert (config.http_logging_enabled, config.logs_directory_size_limit) == (True, 50)
    user = apps.begin_list_publishing_credentials(GROUP, SITE).result().properties
    assert user is not None
    assert user.publishing_user_name == f"${SITE}"


def starts(estate: Estate) -> int:
    return estate.log().count("Pulling image")


def test_a_site_is_started_anew_for_any_change_but_that_of_its_tags(azure: Clients, estate: Estate) -> None:
    estate.up(estate.deploy())
    estate.deploy()
    tags: Any = {"operation": "Merge", "properties": {"tags": {"a": "1"}}}
    azure.resources.tags.begin_update_at_scope(str(azure.web.web_apps.get(GROUP, SITE).id), tags).result()
    assert starts(estate) == 1
    estate.deploy(settings={"A": "1"})
    eventually(lambda: starts(estate) == 2 or None, "another start")


def test_a_stopped_site_says_so_until_it_is_started(azure: Clients, estate: Estate) -> None:
    url = estate.up(estate.deploy())
    azure.web.web_apps.stop(GROUP, SITE)
    stopped = estate.get(url)
    assert (stopped.status_code, "stopped" in stopped.text) == (403, True)
    site = azure.web.web_apps.get(GROUP, SITE)
    assert site.properties is not None
    assert site.properties.state == "Stopped"
    azure.web.web_apps.start(GROUP, SITE)
    eventually(lambda: estate.get(url).ok or None, "a site that answers")


def test_who_comes_by_http_is_sent_to_https(estate: Estate) -> None:
    url = estate.up(estate.deploy())
    plain = url.replace("https:", "http:").replace(":8443", ":8080")
    answer = requests.get(f"{plain}predict?x=1", allow_redirects=False, timeout=60)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{url}predict?x=1")


def test_instances_are_as_many_as_the_plan_has_machines(azure: Clients, estate: Estate) -> None:
    estate.up(estate.deploy())
    plan_in(azure, count=2)
    eventually(lambda: len(instances(azure)) == 2 or None, "two instances")
    assert instances(azure) == ["READY", "READY"]
    plan_in(azure, count=1)
    eventually(lambda: len(instances(azure)) == 1 or None, "one instance")


def instances(azure: Clients) -> list[str]:
    identifiers = azure.web.web_apps.list_instance_identifiers(GROUP, SITE)
    return [
        SiteRuntimeState(each.properties.state).value
        for each in identifiers
        if each.properties and each.properties.state
    ]


def test_references_to_a_key_vault_are_resolved_where_there_is_such_a_secret(azure: Clients, estate: Estate) -> None:
    azure.rehearsal.add_secret("https://vault.vault.azure.net/secrets/known", "s3cret")
    known = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/known/)"
    unknown = "@Microsoft.KeyVault(VaultName=vault;SecretName=unknown)"
    estate.deploy(settings={"KNOWN": known, "UNKNOWN": unknown, "PLAIN": "x"})
    listed = azure.web.web_apps.get_app_settings_key_vault_references(GROUP, SITE)
    statuses = {each.name: each.properties.status for each in listed if each.properties}
    assert statuses == {"KNOWN": "Resolved", "UNKNOWN": "SecretNotFound"}


def test_a_swap_exchanges_what_runs_and_leaves_names_and_tags(azure: Clients, standard: Estate) -> None:
    standard.up(standard.deploy(settings={"VERSION": "1"}))
    apps, target = azure.web.web_apps, CsmSlotEntity(target_slot="staging", preserve_vnet=True)
    slot = standard.deploy_slot(settings={"VERSION": "2"})
    assert slot.name == f"{SITE}/staging"
    standard.up(slot)
    apps.begin_swap_slot_with_production(GROUP, SITE, target).result()
    assert (apps.list_application_settings(GROUP, SITE).properties or {})["VERSION"] == "2"
    assert (apps.list_application_settings_slot(GROUP, SITE, "staging").properties or {})["VERSION"] == "1"
    apps.delete_slot(GROUP, SITE, "staging")
    assert [each.name for each in apps.list_slots(GROUP, SITE)] == []
    assert catch_error(lambda: apps.begin_swap_slot_with_production(GROUP, SITE, target)) == (404, "ResourceNotFound")


def test_a_slot_in_which_nothing_runs_cannot_be_swapped(azure: Clients, standard: Estate) -> None:
    standard.up(standard.deploy())
    azure.roles.role_assignments.delete_by_id(
        next(
            str(each.id) for each in azure.roles.role_assignments.list_for_scope(standard.registry) if each.description
        )
    )
    standard.deploy_slot()
    eventually(lambda: "Failed to start" in standard.log("staging") or None, "a start that fails")
    target = CsmSlotEntity(target_slot="staging", preserve_vnet=True)
    swap = lambda: azure.web.web_apps.begin_swap_slot_with_production(GROUP, SITE, target)  # noqa: E731
    assert catch_error(swap) == (409, "Conflict")
