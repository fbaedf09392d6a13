"""Requests to services of Cloud Run: who may send them, and the instances that they start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from google.api_core import exceptions as api
from google.cloud import run_v2 as run
from google.iam.v1 import policy_pb2

from mldeploy.rehearsal.gcp import FaultKind, FaultOrder
from tests.rehearsal.account import eventually
from tests.rehearsal.gcp.clients import SECONDS, Clients, done
from tests.rehearsal.gcp.run_templates import SUCCEEDED, publish, revision_of, target, template

CREATE = (
    "run.services.create",
    "run.services.get",
    "run.operations.get",
    "iam.serviceAccounts.actAs",
    "artifactregistry.repositories.downloadArtifacts",
    "serviceusage.services.use",
)


@pytest.fixture
def service(google: Clients, image: str) -> run.Service:
    return google.deploy(run.Service(template=template(image, "shop-a"), traffic=[target("shop-a", 100, "a")]))


def test_a_private_service_wants_an_identity_token_for_itself(google: Clients, service: run.Service) -> None:
    tagged = service.traffic_statuses[0].uri
    for url in (service.uri, tagged):
        refused = google.ask(url)
        assert (refused.status_code, "Your client does not have permission" in refused.text) == (403, True)
        assert google.ask(url, google.identity(service.uri)).ok
    for token in ("nonsense", google.identity("https://elsewhere"), google.password()):
        refused = google.ask(service.uri, token)
        assert refused.status_code == 401
        assert "The access token could not be verified" in refused.headers["WWW-Authenticate"]
    google.rehearsal.restrict(["run.services.get", "serviceusage.services.use"])
    assert google.ask(service.uri, google.identity(service.uri)).status_code == 403
    assert "run.routes.invoke" in google.rehearsal.checked_permissions()


def test_a_grant_to_an_account_is_enough(google: Clients, service: run.Service) -> None:
    token = google.identity(service.uri)
    google.rehearsal.restrict(["run.services.setIamPolicy", "serviceusage.services.use"])
    member = "serviceAccount:rehearsal@rehearsal-project.iam.gserviceaccount.com"
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=[member])])
    google.run.set_iam_policy(request={"resource": service.name, "policy": policy})
    assert google.ask(service.uri, token).ok


def test_an_address_of_nobody_is_not_found(google: Clients, service: run.Service) -> None:
    publish(google, service)
    assert google.ask(service.uri, host="other-123456789012.us-central1.run.app").status_code == 404
    assert google.ask(service.uri, host="evil.example").status_code == 421


def test_an_idle_instance_is_stopped_and_the_next_request_starts_one(google: Clients, service: run.Service) -> None:
    publish(google, service)
    assert google.rehearsal.run_instances() == {"shop-a": 1}
    google.rehearsal.keep_idle_instances(0)
    eventually(lambda: google.rehearsal.run_instances() == {"shop-a": 0} or None, "scale to zero")
    google.rehearsal.keep_idle_instances(600)
    assert revision_of(google, service.uri) == "shop-a"
    assert google.rehearsal.run_instances() == {"shop-a": 1}


def test_the_minimum_stays_while_it_has_traffic(google: Clients, service: run.Service) -> None:
    google.rehearsal.keep_idle_instances(0)
    scaled = run.Service(name=service.name, scaling=run.ServiceScaling(min_instance_count=2))
    done(google.run.update_service(request={"service": scaled, "update_mask": {"paths": ["scaling"]}}))
    eventually(lambda: google.rehearsal.run_instances() == {"shop-a": 2} or None, "two instances")
    assert len(list(google.revisions.list_revisions(parent=service.name))) == 1
    manual = run.ServiceScaling(scaling_mode=run.ServiceScaling.ScalingMode.MANUAL, manual_instance_count=0)
    stopped = run.Service(name=service.name, scaling=manual)
    done(google.run.update_service(request={"service": stopped, "update_mask": {"paths": ["scaling"]}}))
    eventually(lambda: google.rehearsal.run_instances() == {"shop-a": 0} or None, "no instance")
    publish(google, service)
    assert google.ask(service.uri).status_code == 503


def test_a_crashed_instance_is_replaced_for_the_next_request(google: Clients, service: run.Service) -> None:
    publish(google, service)
    google.ask(f"{service.uri}/exit/137")
    eventually(lambda: google.rehearsal.run_instances() == {"shop-a": 0} or None, "the crash")
    assert revision_of(google, service.uri) == "shop-a"


def test_requests_beyond_the_concurrency_start_more_instances(google: Clients, image: str) -> None:
    made = template(image, "shop-a", max_instance_request_concurrency=1, scaling={"max_instance_count": 2})
    service = google.deploy(run.Service(template=made))
    publish(google, service)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: google.ask(service.uri).status_code, range(60)))
    assert set(answers) == {200}
    assert 1 <= google.rehearsal.run_instances()["shop-a"] <= 2


def test_internal_ingress_hides_a_service(google: Clients, image: str) -> None:
    ingress = run.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    service = google.deploy(run.Service(template=template(image), ingress=ingress))
    publish(google, service)
    assert google.ask(service.uri).status_code == 404


def test_what_a_caller_may_not_do_is_named(google: Clients, image: str) -> None:
    for missing in CREATE[:1] + CREATE[3:5]:
        google.rehearsal.restrict(set(CREATE) - {missing})
        with pytest.raises(api.PermissionDenied, match=missing.replace("serviceAccounts", "service[aA]ccounts")):
            google.run.create_service(
                parent=google.region, service=run.Service(template=template(image)), service_id="shop"
            )
    google.rehearsal.restrict(CREATE)
    assert google.deploy(run.Service(template=template(image))).terminal_condition.state == SUCCEEDED
    assert google.rehearsal.checked_permissions() >= set(CREATE) - {"run.services.get", "serviceusage.services.use"}


def test_the_api_must_be_enabled(google: Clients) -> None:
    name = f"projects/{google.project}/services/run.googleapis.com"
    google.services.disable_service(request={"name": name}).result(timeout=SECONDS)
    with pytest.raises(api.PermissionDenied, match=r"run.googleapis.com API has not been used") as refused:
        list(google.run.list_services(parent=google.region))
    assert refused.value.reason == "SERVICE_DISABLED"


@pytest.mark.parametrize(("kind", "made"), [(FaultKind.LOST, 1), (FaultKind.CUT_BEFORE, 0), (FaultKind.ERROR, 0)])
def test_faults_meet_it_like_every_api(google: Clients, image: str, kind: FaultKind, made: int) -> None:
    google.rehearsal.faults.inject(FaultOrder(kind, "run.services.create", seconds=0.2))
    with pytest.raises((api.ServiceUnavailable, api.InternalServerError)):
        google.run.create_service(
            parent=google.region, service=run.Service(template=template(image)), service_id="shop", retry=None
        )
    assert sum(each.kind == "run:service" for each in google.rehearsal.contents()) == made


def test_in_a_harsh_project_new_things_come_late(google: Clients, image: str) -> None:
    google.rehearsal.toughen()
    body = {"accountId": "shop-account"}
    email = google.accounts("", "POST", body).json()["email"]
    assert google.accounts(f"/{email}").status_code == 404
    service = run.Service(template=template(image, service_account=email))
    with pytest.raises(api.PermissionDenied, match=r"iam\.serviceaccounts\.actAs"):
        google.run.create_service(parent=google.region, service=service, service_id="shop")
    made = google.deploy(service)
    with pytest.raises(api.NotFound):
        google.run.get_service(name=made.name)
    publish(google, made)
    eventually(lambda: google.ask(made.uri).ok or None, "the grant")


def test_a_reset_ends_every_instance(google: Clients, service: run.Service) -> None:
    publish(google, service)
    google.rehearsal.reset()
    assert google.rehearsal.contents() == ()
    with closing(Clients(google.rehearsal)) as fresh:
        assert fresh.ask(service.uri).status_code == 404
