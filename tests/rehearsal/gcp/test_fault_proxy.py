"""The gateway logs and authenticates each gRPC and REST call, and injects faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests
from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.cloud import artifactregistry_v1 as ar
from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp import FaultKind, FaultOrder, GcpRehearsal, LoggedCall
from tests.rehearsal.gcp.clients import Clients

CREATE, LIST, TOKEN = "artifactregistry.repositories.create", "compute.disks.list", "iam.serviceAccounts.getAccessToken"

AGAIN = Retry(predicate=if_exception_type(api.ServiceUnavailable), initial=0.1, timeout=300)


def create(google: Clients) -> object:
    made = ar.Repository(format_="DOCKER")
    return google.artifacts.create_repository(parent=google.region, repository_id="app", repository=made, timeout=120)


def repositories(rehearsal: GcpRehearsal) -> int:
    return sum(thing.kind == "artifactregistry:repository" for thing in rehearsal.contents())


def test_every_call_is_numbered_and_known_by_the_permission_that_it_needs(google: Clients) -> None:
    google.artifacts.list_repositories(parent=google.region)
    google.clusters.list_clusters(parent=google.region)
    google.compute("/aggregated/disks")
    create(google)
    assert google.rehearsal.calls() == (
        LoggedCall(1, TOKEN, writing=False),
        LoggedCall(2, "artifactregistry.repositories.list", writing=False),
        LoggedCall(3, "container.clusters.list", writing=False),
        LoggedCall(4, LIST, writing=False),
        LoggedCall(5, CREATE, writing=True),
    )


@pytest.mark.parametrize("token", ["", "ya29.guessed"])
def test_a_caller_without_a_good_token_is_turned_away(rehearsal: GcpRehearsal, token: str) -> None:
    with closing(Clients(rehearsal, token)) as stranger:
        with pytest.raises(api.Unauthenticated, match="Expected OAuth 2 access token"):
            stranger.clusters.list_clusters(parent="projects/p/locations/-")
        refused = stranger.compute("/aggregated/disks")
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert rehearsal.calls() == ()


def test_a_token_may_end_before_its_time(google: Clients) -> None:
    google.clusters.list_clusters(parent=google.region)
    google.rehearsal.expire_tokens()
    with pytest.raises(api.Unauthenticated) as refused:
        google.clusters.list_clusters(parent=google.region)
    assert refused.value.reason == "ACCESS_TOKEN_EXPIRED"
    google.credentials.refresh(Request(google.session))
    google.clusters.list_clusters(parent=google.region)


def test_a_key_that_is_not_the_accounts_gets_no_token(rehearsal: GcpRehearsal, google: Clients) -> None:
    assertion = google.credentials.signer.sign(b"nothing").hex()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    refused = google.session.post(f"{rehearsal.record.url}/token", form, timeout=120)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    other = google.credentials.with_claims({"iss": "somebody@else.iam.gserviceaccount.com"})
    with pytest.raises(RefreshError, match="account not found"):
        other.refresh(Request(google.session))


def test_a_page_that_knows_no_token_cannot_give_orders(rehearsal: GcpRehearsal, google: Clients) -> None:
    assert google.session.post(f"{rehearsal.record.url}/rehearsal/reset", timeout=120).status_code == 403


@pytest.mark.parametrize(
    ("kind", "error", "reason", "status"),
    [
        (FaultKind.THROTTLE, api.ResourceExhausted, "RATE_LIMIT_EXCEEDED", 429),
        (FaultKind.ERROR, api.InternalServerError, None, 500),
        (FaultKind.DENIED, api.PermissionDenied, "IAM_PERMISSION_DENIED", 403),
    ],
)
def test_a_refusal_is_said_in_googles_words_and_nothing_is_done(
    google: Clients, kind: FaultKind, error: type[api.GoogleAPICallError], reason: str | None, status: int
) -> None:
    google.password()
    google.rehearsal.faults.inject(FaultOrder(kind, times=0))
    with pytest.raises(error) as refused:
        create(google)
    assert refused.value.reason == reason
    assert google.compute("/aggregated/disks").status_code == status
    assert google.rehearsal.faults.wait_for_injections() == 2
    assert repositories(google.rehearsal) == 0


def test_a_missing_permission_is_named(google: Clients) -> None:
    google.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, CREATE), FaultOrder(FaultKind.DENIED, LIST))
    with pytest.raises(api.PermissionDenied, match=CREATE) as refused:
        create(google)
    assert (refused.value.metadata or {})["permission"] == CREATE
    error = google.compute("/aggregated/disks").json()["error"]
    assert LIST in error["message"]
    assert error["details"][0]["metadata"]["permission"] == LIST


@pytest.mark.parametrize(
    ("kind", "made"), [(FaultKind.TIMEOUT, 0), (FaultKind.LOST, 1), (FaultKind.CUT_BEFORE, 0), (FaultKind.CUT_AFTER, 1)]
)
def test_without_an_answer_the_client_cannot_tell_whether_it_was_done(
    google: Clients, kind: FaultKind, made: int
) -> None:
    google.rehearsal.faults.inject(FaultOrder(kind, CREATE, seconds=0.2))
    with pytest.raises(api.ServiceUnavailable, match=r"(?i)socket closed|reset|broken pipe"):
        create(google)
    assert repositories(google.rehearsal) == made
    # Over another connection, as if nothing had been; until gRPC notices that the old one is gone, it is refused.
    google.artifacts.list_repositories(parent=google.region, retry=AGAIN)


def test_a_broken_connection_takes_along_whatever_else_is_on_its_way_on_it(google: Clients) -> None:
    google.rehearsal.faults.inject(FaultOrder(FaultKind.DELAY, "container.clusters.list", seconds=600))
    with ThreadPoolExecutor() as pool:
        other = pool.submit(google.clusters.list_clusters, parent=google.region, retry=None, timeout=600)
        assert google.rehearsal.faults.wait_for_injections(within=300) == 1
        google.rehearsal.faults.inject(FaultOrder(FaultKind.CUT_BEFORE, CREATE))
        with pytest.raises(api.ServiceUnavailable):
            create(google)
        with pytest.raises(api.ServiceUnavailable):
            other.result(timeout=300)
    google.rehearsal.faults.clear()


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.LOST, FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER])
def test_a_rest_connection_breaks_likewise(google: Clients, kind: FaultKind) -> None:
    google.rehearsal.faults.inject(FaultOrder(kind, LIST, seconds=0.2))
    with pytest.raises(requests.ConnectionError):
        google.compute("/aggregated/disks")
    assert google.compute("/aggregated/disks").ok


def test_a_client_that_waits_for_too_long_gives_up_by_itself(google: Clients) -> None:
    google.password()
    google.rehearsal.faults.inject(FaultOrder(FaultKind.TIMEOUT, "container.clusters.list", seconds=600))
    with pytest.raises(api.DeadlineExceeded):
        google.clusters.list_clusters(parent=google.region, retry=None, timeout=0.3)
    google.rehearsal.faults.clear()  # where the machine was too slow, the call has not even been sent
    google.clusters.list_clusters(parent=google.region)


def test_a_delay_is_a_late_answer(google: Clients) -> None:
    google.rehearsal.faults.inject(FaultOrder(FaultKind.DELAY, CREATE, seconds=0.3))
    begun = time.monotonic()
    create(google)
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [(FaultKind.DENIED, 403, "access_denied"), (FaultKind.ERROR, 500, "temporarily_unavailable")],
)
def test_a_request_for_a_token_meets_faults_too(google: Clients, kind: FaultKind, status: int, word: str) -> None:
    google.rehearsal.faults.inject(FaultOrder(kind, TOKEN, times=0))
    refused = google.session.post(f"{google.rehearsal.record.url}/token", {}, timeout=120)
    assert (refused.status_code, refused.json()["error"]) == (status, word)


@pytest.mark.parametrize("call", [create, lambda google: google.compute("/aggregated/disks")], ids=["grpc", "rest"])
def test_whoever_waits_for_a_fault_hears_of_it_while_its_client_is_held(
    google: Clients, call: Callable[[Clients], object]
) -> None:
    google.password()
    google.rehearsal.faults.inject(FaultOrder(FaultKind.LOST, seconds=600))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(call, google)
        assert google.rehearsal.faults.wait_for_injections(within=300) == 1
        assert not waiting.done()
        google.rehearsal.faults.clear()
        with pytest.raises((api.ServiceUnavailable, requests.ConnectionError)):
            waiting.result()


def test_what_is_not_rehearsed_says_so(google: Clients) -> None:
    with pytest.raises(api.MethodNotImplemented, match="GetServerConfig is not rehearsed"):
        google.clusters.get_server_config(name=google.region)


def test_another_project_is_not_ours(google: Clients) -> None:
    with pytest.raises(api.PermissionDenied, match="or it may not exist"):
        google.clusters.list_clusters(parent="projects/another/locations/-")
    with pytest.raises(api.PermissionDenied, match="or it may not exist"):
        google.artifacts.list_repositories(parent="projects/another/locations/us-central1")


def test_a_new_project_holds_nothing_that_anybody_made(google: Clients) -> None:
    google.repository(labels={"mldeploy-app": "a"})
    made = google.rehearsal.contents()
    assert [(each.kind, each.name, each.tags) for each in made] == [
        ("artifactregistry:repository", "app", {"mldeploy-app": "a"})
    ]
    google.rehearsal.reset()
    assert google.rehearsal.contents() == ()
    assert google.rehearsal.calls() == ()


def test_a_reset_waits_for_nothing_that_is_under_way(slow: Clients) -> None:
    """Or the request for it would fail: they would take an hour."""
    create(slow)
    slow.clusters.create_cluster(parent=slow.region, cluster=gke.Cluster(name="c", autopilot={"enabled": True}))
    slow.rehearsal.reset()
    assert slow.rehearsal.contents() == ()
