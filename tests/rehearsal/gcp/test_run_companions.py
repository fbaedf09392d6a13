"""What Cloud Run needs beside: service accounts, secrets, and the entries of Cloud Logging."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from google.api_core import exceptions as api
from google.cloud import run_v2 as run
from google.cloud import secretmanager_v1 as sm
from google.cloud.logging_v2.types import LogEntry, TailLogEntriesRequest
from google.iam.v1 import policy_pb2

from tests.rehearsal.gcp.clients import Clients
from tests.rehearsal.gcp.run_templates import publish, template

REVISION = 'resource.type="cloud_run_revision" AND resource.labels.service_name="shop"'


def entries(google: Clients, more: str = "", order: str = "timestamp asc") -> list[LogEntry]:
    request = {"resource_names": [f"projects/{google.project}"], "filter": REVISION + more, "order_by": order}
    return list(google.logging.list_log_entries(request=request))


def test_a_service_account_comes_and_goes(google: Clients) -> None:
    given = {"accountId": "shop-account", "serviceAccount": {"displayName": "Shop", "description": "mldeploy-app=shop"}}
    made = google.accounts("", "POST", given).json()
    assert made["email"] == "shop-account@rehearsal-project.iam.gserviceaccount.com"
    assert google.accounts(f"/{made['email']}").json() == made
    assert google.accounts("", "POST", given).status_code == 409
    assert google.accounts("", "POST", {"accountId": "x"}).status_code == 400
    assert google.accounts().json()["accounts"] == [made]
    (known,) = google.rehearsal.contents()
    assert (known.kind, known.name, known.tags) == ("iam:serviceAccount", "shop-account", {"mldeploy-app": "shop"})
    binding = {"role": "roles/iam.serviceAccountUser", "members": ["user:a@example.com"]}
    policy = {"policy": {"bindings": [binding]}}
    assert google.accounts(f"/{made['email']}:setIamPolicy", "POST", policy).json()["bindings"] == [binding]
    assert google.accounts(f"/{made['email']}:getIamPolicy", "POST", {}).json()["bindings"] == [binding]
    assert google.accounts(f"/{made['email']}", "DELETE").json() == {}
    assert google.accounts(f"/{made['email']}").status_code == 404
    google.rehearsal.restrict(["iam.serviceAccounts.get", "serviceusage.services.use"])
    refused = google.accounts("", "POST", given).json()["error"]
    assert refused["details"][0]["metadata"]["permission"] == "iam.serviceAccounts.create"


def test_a_secret_has_versions_that_are_read_by_number(google: Clients) -> None:
    parent = f"projects/{google.project}"
    secret = sm.Secret(replication={"automatic": {}}, labels={"mldeploy-app": "shop"})
    made = google.secrets.create_secret(parent=parent, secret_id="token", secret=secret)
    with pytest.raises(api.AlreadyExists, match="already exists"):
        google.secrets.create_secret(parent=parent, secret_id="token", secret=secret)
    with pytest.raises(api.NotFound, match="not found"):
        google.secrets.access_secret_version(name=f"{made.name}/versions/latest")
    for content in (b"one", b"two"):
        google.secrets.add_secret_version(parent=made.name, payload=sm.SecretPayload(data=content))
    read = [google.secrets.access_secret_version(name=f"{made.name}/versions/{each}") for each in ("1", "latest")]
    assert [each.payload.data for each in read] == [b"one", b"two"]
    google.secrets.disable_secret_version(name=f"{made.name}/versions/1")
    with pytest.raises(api.FailedPrecondition, match="is in DISABLED state"):
        google.secrets.access_secret_version(name=f"{made.name}/versions/1")
    google.secrets.destroy_secret_version(name=f"{made.name}/versions/1")
    states = [each.state.name for each in google.secrets.list_secret_versions(parent=made.name)]
    assert states == ["ENABLED", "DESTROYED"]
    found = google.secrets.list_secrets(request={"parent": parent, "filter": "labels.mldeploy-app=shop"})
    assert [each.name for each in found] == [made.name]
    google.secrets.delete_secret(name=made.name)
    assert google.rehearsal.contents() == ()


def test_a_policy_of_another_version_is_a_conflict(google: Clients) -> None:
    secret = sm.Secret(replication={"automatic": {}})
    made = google.secrets.create_secret(parent=f"projects/{google.project}", secret_id="token", secret=secret)
    google.secrets.set_iam_policy(request={"resource": made.name, "policy": policy_pb2.Policy()})
    with pytest.raises(api.Aborted, match="concurrent policy changes"):
        google.secrets.set_iam_policy(request={"resource": made.name, "policy": policy_pb2.Policy(etag=b"old")})


def test_containers_and_requests_are_logged(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image, "shop-a")))
    publish(google, service)
    google.ask(f"{service.uri}/predict", method="POST")
    every = entries(google)
    assert entries(google, order="timestamp desc") == every[::-1]
    (line,) = entries(google, f' AND logName="projects/{google.project}/logs/run.googleapis.com%2Fstdout"')
    assert line.text_payload == "pretending to run"
    assert line.resource.labels["revision_name"] == "shop-a"
    (request,) = entries(google, ' log_id("run.googleapis.com/requests")')
    assert (request.http_request.status, request.http_request.request_method) == (200, "POST")
    assert request.http_request.request_url.endswith("/predict")
    assert entries(google, ' AND resource.labels.revision_name="shop-b"') == []
    assert entries(google, ' AND timestamp>="2100-01-01T00:00:00Z"') == []
    assert request not in entries(google, f' AND logName!="{request.log_name}"')
    pages = {"resource_names": [f"projects/{google.project}"], "filter": REVISION, "page_size": 1}
    assert list(google.logging.list_log_entries(request=pages)) == every


@pytest.mark.parametrize(
    ("more", "error"), [(" AND ???", api.InvalidArgument), (" OR severity>=ERROR", api.MethodNotImplemented)]
)
def test_a_filter_that_is_not_understood_is_refused(
    google: Clients, image: str, more: str, error: type[api.GoogleAPICallError]
) -> None:
    google.deploy(run.Service(template=template(image)))
    with pytest.raises(error):
        entries(google, more)


def test_new_entries_can_be_followed(google: Clients, image: str) -> None:
    service = google.deploy(run.Service(template=template(image, "shop-a")))
    publish(google, service)
    ended = threading.Event()

    def requests() -> Iterator[TailLogEntriesRequest]:
        yield TailLogEntriesRequest(resource_names=[f"projects/{google.project}"], filter=f"{REVISION} severity>=INFO")
        ended.wait(600)

    asking = threading.Thread(target=_ask_until, args=(google, service.uri, ended))
    asking.start()
    try:  # the SDK waits for the first response
        first = next(iter(google.logging.tail_log_entries(requests=requests(), timeout=600)))
    finally:
        ended.set()
        asking.join()
    assert {each.resource.labels["revision_name"] for each in first.entries} == {"shop-a"}


def _ask_until(google: Clients, url: str, ended: threading.Event) -> None:
    """Send requests, since nobody learns when the call to follow has arrived."""
    while not ended.wait(0.2):
        google.ask(url)
