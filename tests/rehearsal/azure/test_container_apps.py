"""Container apps as resources: what they look like, what is refused, and what needs which permission."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from http.client import HTTPSConnection
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers.models import (
    ContainerAppProbe,
    ContainerAppProbeTcpSocket,
    ContainerResources,
    CustomDomain,
    EnvironmentVar,
    ManagedCertificate,
    ManagedCertificateProperties,
    Secret,
    TrafficWeight,
)

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import FaultKind, FaultOrder
from tests.rehearsal.account import eventually
from tests.rehearsal.azure.app_estate import APP, ENVIRONMENT, AppEstate, environment, environment_in, weights
from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, PORT, REGION, assign, group_in

pytestmark = pytest.mark.engine
DOMAIN = "shop.example.com"
IMPATIENT = ContainerAppProbe(type="Readiness", tcp_socket=ContainerAppProbeTcpSocket(port=PORT), failure_threshold=49)


@pytest.fixture
def shop(azure: Clients, engine: Engine, scrap: str) -> AppEstate:
    return AppEstate.made(azure, engine, base=scrap)


def failure(call: Any) -> str:
    """The message of the error that a call or its operation ends with."""
    with pytest.raises(HttpResponseError) as caught:
        call()
    return str(caught.value)


def connect(shop: AppEstate, name: str) -> tuple[int, str]:
    """Ask the environment's static IP for a host name. Return status and text; raises ssl.SSLError."""
    context = ssl.create_default_context(cafile=shop.azure.bundle)
    address = shop.environment.properties.static_ip
    with (
        socket.create_connection((address, 8443), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname=name) as secure,
        closing(HTTPSConnection(address, 8443)) as connection,
    ):
        connection.sock = secure
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_an_environment_has_a_domain_an_address_and_its_workload_profiles(azure: Clients) -> None:
    group_in(azure)
    made = environment_in(azure)
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.default_domain.endswith(f".{REGION}.azurecontainerapps.io")
    assert made.properties.static_ip
    assert [each.name for each in made.properties.workload_profiles] == ["Consumption"]
    again = environment_in(azure)
    assert again.properties.default_domain == made.properties.default_domain
    azure.apps.managed_environments.begin_delete(GROUP, ENVIRONMENT).result()
    assert not list(azure.apps.managed_environments.list_by_resource_group(GROUP))


def test_what_an_environment_may_not_be(azure: Clients) -> None:
    group_in(azure)
    environments = azure.apps.managed_environments
    spec = environment(("Consumption", "Consumption"))
    assert catch_error(lambda: environments.begin_create_or_update(GROUP, ENVIRONMENT, spec)) == (
        409,
        "MissingSubscriptionRegistration",
    )
    azure.resources.providers.register("Microsoft.App")
    wrong = environment(("big", "Z9"))
    for name, each, code in (
        ("Shop_Env", spec, "ManagedEnvironmentInvalidName"),
        (ENVIRONMENT, wrong, "WorkloadProfileTypeNotSupported"),
    ):
        assert catch_error(lambda: environments.begin_create_or_update(GROUP, name, each)) == (400, code)  # noqa: B023 - called within the iteration
    azure.rehearsal.set_quota("Microsoft.App/managedEnvironments", 0)
    code = "MaxNumberOfRegionalEnvironmentsInSubExceeded"
    assert catch_error(lambda: environments.begin_create_or_update(GROUP, ENVIRONMENT, spec)) == (400, code)


def test_an_app_and_its_first_revision(shop: AppEstate) -> None:
    made = shop.create()
    properties = made.properties
    assert (properties.provisioning_state, properties.running_status) == ("Succeeded", "Running")
    assert properties.latest_revision_name == properties.latest_ready_revision_name == f"{APP}--r1"
    assert [(each.latest_revision, each.weight) for each in properties.configuration.ingress.traffic] == [(True, 100)]
    assert properties.template.scale.max_replicas == 1
    revision = shop.revision("r1")
    assert (revision.active, revision.traffic_weight, revision.replicas) == (True, 100, 1)
    assert (revision.provisioning_state, revision.health_state) == ("Provisioned", "Healthy")
    assert shop.get(properties.configuration.ingress.fqdn).text == shop.get(revision.fqdn).text == "{}"


def test_a_change_of_the_configuration_makes_no_revision_and_one_of_the_template_does(shop: AppEstate) -> None:
    shop.create()
    shop.patch({"configuration": {"ingress": {"allowInsecure": True}}})
    shop.update("r2", weights(r1=100))
    listed = [each.name for each in shop.azure.apps.container_apps_revisions.list_revisions(GROUP, APP)]
    assert listed == [f"{APP}--r1", f"{APP}--r2"]
    assert [shop.revision(each).traffic_weight for each in ("r1", "r2")] == [100, 0]
    shop.update("r2", weights(r1=100))
    assert len(list(shop.azure.apps.container_apps_revisions.list_revisions(GROUP, APP))) == 2


def test_without_a_suffix_a_name_is_generated_and_a_used_suffix_is_refused(shop: AppEstate) -> None:
    shop.create("")
    (first,) = shop.azure.apps.container_apps_revisions.list_revisions(GROUP, APP)
    assert first.name
    assert len(first.name) == len(f"{APP}--") + 7
    shop.update("r2")
    message = failure(lambda: shop.update("r2", version="another"))
    assert "Field 'template.revisionsuffix' is invalid" in message
    assert "revision with suffix r2 already exists" in message
    app: Any = shop.azure.apps.container_apps.get(GROUP, APP)
    assert app.properties.provisioning_state == "Failed"
    assert app.properties.latest_revision_name == f"{APP}--r2"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"container": {"resources": ContainerResources(cpu=0.5, memory="2Gi")}}, "ContainerAppInvalidResourceTotal"),
        ({"container": {"resources": ContainerResources(cpu=8, memory="16Gi")}}, "ContainerAppInvalidResourceTotal"),
        ({"container": {"probes": [IMPATIENT]}}, "ContainerAppProbeFailureThresholdOutOfRange"),
        ({"scale": {"min_replicas": 3, "max_replicas": 2}}, "ContainerAppInvalidReplicaCount"),
        ({"ingress": {"target_port": 0}}, "ContainerAppInvalidTargetPort"),
        ({"ingress": {"traffic": weights(r1=50)}}, "ContainerAppInvalidTraffic"),
        ({"ingress": {"traffic": weights(r1=50, r9=50)}}, "ContainerAppInvalidTraffic"),
        ({"configuration": {"secrets": [Secret(name="token")]}}, "ContainerAppSecretInvalid"),
        ({"container": {"env": [EnvironmentVar(name="T", secret_ref="t")]}}, "ContainerAppSecretRefNotFound"),
    ],
    ids=[
        "memory",
        "too big",
        "probe",
        "replicas",
        "port",
        "weights",
        "unknown revision",
        "empty secret",
        "unknown secret",
    ],
)
def test_what_is_refused_before_anything_changes(shop: AppEstate, changed: dict[str, Any], code: str) -> None:
    apps = shop.azure.apps.container_apps
    spec = shop.app("r1", **changed)
    assert catch_error(lambda: apps.begin_create_or_update(GROUP, APP, spec)) == (400, code)
    assert not list(apps.list_by_resource_group(GROUP))


def test_names_are_checked_and_what_the_rehearsal_does_not_play_is_refused(shop: AppEstate) -> None:
    apps = shop.azure.apps.container_apps
    for name in ("Shop", "s", "shop--app", "1shop", "s" * 33):
        assert catch_error(lambda: apps.begin_create_or_update(GROUP, name, shop.app("r1"))) == (  # noqa: B023 - called within the iteration
            400,
            "ContainerAppInvalidName",
        )
    too_long = shop.app("r" * 60)
    code = "ContainerAppInvalidRevisionSuffix"
    assert catch_error(lambda: apps.begin_create_or_update(GROUP, APP, too_long)) == (400, code)
    path = f"/resourceGroups/{GROUP}/providers/Microsoft.App/containerApps/{APP}"
    dapr = {"location": REGION, "properties": {"configuration": {"dapr": {"enabled": True}}}}
    answer = shop.azure.arm(f"PUT {path}", dapr, "2026-07-01")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_an_image_is_pulled_with_the_apps_identity_or_not_at_all(shop: AppEstate) -> None:
    missing = f"{shop.image.partition('@')[0]}@sha256:{'0' * 64}"
    assert "MANIFEST_UNKNOWN" in failure(lambda: shop.create(container={"image": missing}))
    app: Any = shop.azure.apps.container_apps.get(GROUP, APP)
    assert (app.properties.provisioning_state, app.properties.latest_revision_name) == ("Failed", None)
    assert shop.ask().status_code == 404
    for each in shop.azure.roles.role_assignments.list_for_scope(shop.registry.id):
        if each.description:
            shop.azure.roles.role_assignments.delete_by_id(str(each.id))
    assert f"unable to pull image using Managed identity {shop.identity.id}" in failure(lambda: shop.create("r2"))
    assert "UNAUTHORIZED: authentication required" in failure(
        lambda: shop.create("r3", configuration={"registries": []})
    )
    assign(shop.azure, shop.registry.id, str(shop.identity.principal_id))
    assert shop.create("r4").properties.provisioning_state == "Succeeded"


def test_an_operation_excludes_another_one(slow: Clients, engine: Engine, scrap: str) -> None:
    shop = AppEstate.made(slow, engine, base=scrap)
    slow.rehearsal.stop_clock()
    poller = slow.apps.container_apps.begin_create_or_update(GROUP, APP, shop.app("r1"))
    app: Any = slow.apps.container_apps.get(GROUP, APP)
    assert app.properties.provisioning_state == "InProgress"
    change = shop.app("r2")
    assert catch_error(lambda: slow.apps.container_apps.begin_update(GROUP, APP, change)) == (
        409,
        "ContainerAppOperationInProgress",
    )
    slow.rehearsal.start_clock()
    eventually(lambda: poller.done() or None, "the end of the operation")  # the role may not count yet
    apps = slow.apps.container_apps
    apps.begin_update(GROUP, APP, shop.app("r2"), polling=False)


def test_an_environment_with_an_app_stays(shop: AppEstate) -> None:
    shop.create()
    environments, apps = shop.azure.apps.managed_environments, shop.azure.apps.container_apps
    assert catch_error(lambda: environments.begin_delete(GROUP, ENVIRONMENT)) == (
        409,
        "ManagedEnvironmentHasContainerApps",
    )
    apps.begin_delete(GROUP, APP).result()
    environments.begin_delete(GROUP, ENVIRONMENT).result()
    kinds = {each.kind for each in shop.azure.rehearsal.contents()}
    assert not [each for each in kinds if each.startswith("Microsoft.App/")]


def test_a_stopped_app_answers_with_the_page_of_azure_until_it_is_started(shop: AppEstate) -> None:
    shop.create()
    apps = shop.azure.apps.container_apps
    stopped: Any = apps.begin_stop(GROUP, APP).result()
    assert stopped.properties.running_status == "Stopped"
    answer = shop.ask()
    assert (answer.status_code, "This Container App is stopped or does not exist" in answer.text) == (404, True)
    shop.scaled("r1", 0)
    started: Any = apps.begin_start(GROUP, APP).result()
    assert started.properties.running_status == "Running"
    assert shop.ask().text == "{}"


def test_an_inactive_revision_gets_nothing_and_the_oldest_are_removed(shop: AppEstate) -> None:
    shop.create(configuration={"max_inactive_revisions": 1})
    revisions = shop.azure.apps.container_apps_revisions
    for old, new in (("r1", "r2"), ("r2", "r3")):
        shop.update(new, weights(**{new: 100}), configuration={"max_inactive_revisions": 1})
        host = shop.revision(old).fqdn
        revisions.deactivate_revision(GROUP, APP, f"{APP}--{old}")
        assert shop.get(host).status_code == 404
        assert (shop.revision(old).active, shop.revision(old).running_state) == (False, "Stopped")
    shop.shift(r3=100)
    assert [each.name for each in revisions.list_revisions(GROUP, APP)] == [f"{APP}--r2", f"{APP}--r3"]
    revisions.activate_revision(GROUP, APP, f"{APP}--r2")
    eventually(lambda: shop.revision("r2").health_state == "Healthy" or None, "an active revision")
    assert shop.get(shop.revision("r2").fqdn).text == "{}"


def test_single_revision_mode_replaces_the_revision_once_the_new_one_is_ready(shop: AppEstate) -> None:
    single = {"active_revisions_mode": "Single"}
    shop.create(configuration=single)
    shop.update("r2", configuration=single)
    assert (shop.revision("r1").active, shop.revision("r2").active) == (False, True)
    assert shop.ask().text == "{}"


def test_values_of_secrets_are_told_only_to_those_who_may_list_them(shop: AppEstate) -> None:
    made = shop.create(configuration={"secrets": [Secret(name="token", value="t0p")]})
    assert [each.value for each in made.properties.configuration.secrets] == [None]
    listed: Any = shop.azure.apps.container_apps.list_secrets(GROUP, APP)
    assert [(each.name, each.value) for each in listed.value] == [("token", "t0p")]


def test_a_secret_by_reference_is_read_or_refuses_the_app(shop: AppEstate) -> None:
    uri = "https://vault.vault.azure.net/secrets/token"
    secrets = [Secret(name="token", key_vault_url=uri, identity=shop.identity.id)]
    message = failure(lambda: shop.create(configuration={"secrets": secrets}))
    assert f"Unable to get value using Managed identity {shop.identity.id} for secret token" in message
    shop.azure.rehearsal.add_secret(uri, "t0p")
    made = shop.create(configuration={"secrets": secrets})
    assert made.properties.configuration.secrets[0].key_vault_url == uri


def test_an_app_needs_the_permission_to_join_its_environment_and_to_assign_its_identity(shop: AppEstate) -> None:
    scope = f"/subscriptions/{shop.azure.subscription}"
    join = "Microsoft.App/managedEnvironments/join/action"
    actions = ["Microsoft.App/containerApps/write", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"]
    roles = [{"Actions": actions, "DataActions": [], "AssignableScopes": [scope]}]
    shop.azure.rehearsal.restrict({"roles": roles})
    apps = shop.azure.apps.container_apps
    spec = shop.app("r1")
    assert catch_error(lambda: apps.begin_create_or_update(GROUP, APP, spec)) == (403, "LinkedAuthorizationFailed")
    statuses = "Microsoft.App/locations/containerappOperationStatuses/read"
    roles[0]["Actions"] = [*actions, join, "Microsoft.App/containerApps/read"]
    shop.azure.rehearsal.restrict({"roles": roles})
    assert "does not have authorization" in failure(lambda: apps.begin_create_or_update(GROUP, APP, spec).result())
    assert statuses.lower() in shop.azure.rehearsal.used_actions()


def test_a_label_has_an_address_of_its_own_at_the_environments_ip(shop: AppEstate) -> None:
    shop.create()
    labelled = [
        TrafficWeight(revision_name=f"{APP}--r1", weight=100),
        TrafficWeight(revision_name=f"{APP}--r2", weight=0, label="next"),
    ]
    shop.update("r2", labelled)
    domain = shop.environment.properties.default_domain
    for name in (APP, f"{APP}--r2", f"{APP}---next"):
        assert connect(shop, f"{name}.{domain}") == (200, "{}")
    for name in (f"{APP}---old", f"{APP}--r9", "other"):
        assert connect(shop, f"{name}.{domain}")[0] == 404


def test_an_own_domain_needs_its_records_and_gets_a_certificate(shop: AppEstate) -> None:
    identity = shop.create().properties.custom_domain_verification_id
    apps, certificates = shop.azure.apps.container_apps, shop.azure.apps.managed_certificates
    analysis = apps.list_custom_host_name_analysis(GROUP, APP, custom_hostname=DOMAIN)
    assert analysis.custom_domain_verification_test == "Failed"
    unbound = {"custom_domains": [CustomDomain(name=DOMAIN, binding_type="Disabled")]}
    assert "A TXT record pointing from asuid." in failure(lambda: shop.update("r1", ingress=unbound))
    shop.azure.rehearsal.set_records("TXT", f"asuid.{DOMAIN}", identity)
    spec = ManagedCertificate(
        location=REGION,
        properties=ManagedCertificateProperties(subject_name=DOMAIN, domain_control_validation="CNAME"),
    )

    def create() -> Any:
        return certificates.begin_create_or_update(GROUP, ENVIRONMENT, "own", spec)

    assert catch_error(create) == (400, "RequireCustomHostnameInEnvironment")
    shop.update("r1", ingress=unbound)
    assert "DNS records do not point to" in failure(lambda: create().result())
    certificates.delete(GROUP, ENVIRONMENT, "own")
    shop.azure.rehearsal.set_records("CNAME", DOMAIN, f"{APP}.{shop.environment.properties.default_domain}")
    with pytest.raises(ssl.SSLError):
        connect(shop, DOMAIN)
    made: Any = create().result()
    assert made.properties.provisioning_state == "Succeeded"
    domain = CustomDomain(name=DOMAIN, binding_type="SniEnabled", certificate_id=made.id)
    shop.update("r1", ingress={"custom_domains": [domain]})
    assert connect(shop, DOMAIN) == (200, "{}")
    assert catch_error(lambda: certificates.delete(GROUP, ENVIRONMENT, "own")) == (400, "CertificateInUse")


def test_faults_hit_the_operations_and_the_log_stream(shop: AppEstate) -> None:
    shop.create()
    faults = shop.azure.rehearsal.faults
    (replica,) = shop.replicas("r1")
    url = replica.properties.containers[0].log_stream_endpoint
    assert "pretending to run" in shop.stream(url).text
    assert "Connecting to the container" not in shop.stream(url, output="json").text
    faults.inject(FaultOrder(FaultKind.DENIED, "ContainerApps/logstream"))
    assert shop.stream(url).status_code == 403
    faults.inject(FaultOrder(FaultKind.ERROR, "Microsoft.App/containerApps/revisions/read"))
    assert catch_error(lambda: shop.revision("r1")) == (500, "InternalServerError")
    assert shop.revision("r1").active


def test_a_harsh_subscription_answers_late_and_spells_otherwise(shop: AppEstate) -> None:
    shop.azure.rehearsal.be_harsh()
    apps, environments = shop.azure.apps.container_apps, shop.azure.apps.managed_environments
    shop.create()
    with pytest.raises(HttpResponseError):
        shop.revision("r1")
    made: Any = apps.get(GROUP, APP)
    assert "/containerapps/" in made.id
    assert made.location == "West Europe"
    url = shop.replicas("r1")[0].properties.containers[0].log_stream_endpoint
    assert [shop.stream(url).status_code for _ in range(2)] == [503, 200]
    apps.begin_delete(GROUP, APP).result()
    environments.begin_create_or_update(GROUP, "other", environment()).result()
    code = "ManagedEnvironmentHasContainerApps"
    assert catch_error(lambda: environments.begin_delete(GROUP, "other")) == (409, code)
    environments.begin_delete(GROUP, "other").result()
