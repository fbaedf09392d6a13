"""The stand-in refuses what Docker Hub refuses: tokens, scopes, namespaces, names; and its registry counts pulls."""

from __future__ import annotations

import time

import pytest

from mldeploy.rehearsal.dockerhub import FaultKind, FaultOrder, HubRehearsal
from mldeploy.rehearsal.dockerhub.repositories import ORGANIZATION, STRANGER, USER
from tests.rehearsal.dockerhub.clients import Clients

APP = f"/v2/namespaces/{USER}/repositories/app"


def test_only_its_own_tokens_are_good(hub: Clients, rehearsal: HubRehearsal) -> None:
    body = {"identifier": USER, "secret": "guessed"}
    assert hub.ask("POST", "/v2/auth/token", body, bearer="").status_code == 401
    assert hub.bearer(user="somebody") == ""
    assert hub.ask("GET", APP, bearer="guessed").status_code == 401
    bearer = hub.bearer()
    rehearsal.expire_tokens()
    assert hub.ask("GET", APP, bearer=bearer).status_code == 401


def test_what_is_made_is_listed_page_by_page_and_removed(hub: Clients, rehearsal: HubRehearsal) -> None:
    for name in ("app", "bee", "cee"):
        assert hub.create({"name": name, "description": f"the {name}"}).status_code == 201
    listed = hub.ask("GET", f"/v2/namespaces/{USER}/repositories?page=2&page_size=2").json()
    assert [each["name"] for each in listed["results"]] == ["cee"]
    assert (listed["count"], listed["next"]) == (3, None)
    assert hub.ask("GET", APP).json()["description"] == "the app"
    assert hub.ask("DELETE", f"/v2/repositories/{USER}/app/").status_code == 202
    assert hub.ask("GET", APP).status_code == 404
    assert [each.name for each in rehearsal.contents()] == [f"{USER}/bee", f"{USER}/cee"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "App"},
        {"name": "a"},
        {"name": "app", "description": "x" * 101},
        {"name": "app", "is_private": "yes"},
        {"name": "app", "colour": "blue"},
        {"name": "app", "namespace": "elsewhere"},
    ],
    ids=str,
)
def test_a_repository_that_cannot_be(hub: Clients, body: dict[str, object]) -> None:
    assert hub.create(body).status_code == 400
    assert hub.ask("GET", APP).status_code == 404


def test_a_second_one_of_the_name_and_a_private_one_too_many(hub: Clients) -> None:
    assert hub.create({"name": "app", "is_private": True}).status_code == 201
    assert hub.create({"name": "app"}).status_code == 400
    assert hub.create({"name": "bee", "is_private": True}).status_code == 402
    assert hub.create({"name": "bee", "is_private": True}, ORGANIZATION).status_code == 201
    hub.create({"name": "cee"})
    assert hub.ask("POST", f"/v2/repositories/{USER}/cee/privacy", {"is_private": True}).status_code == 402


def test_each_scope_allows_what_it_is_for(hub: Clients, rehearsal: HubRehearsal) -> None:
    hub.create({"name": "app", "is_private": True})
    seen, made, gone = [], [], []
    for scope in ("repo:public_read", "repo:read", "repo:write", "repo:admin"):
        bearer = hub.bearer(rehearsal.give_token(scope))
        seen.append(hub.ask("GET", APP, bearer=bearer).status_code)
        made.append(hub.create({"name": f"by-{scope[5:].replace('_', '-')}"}, bearer=bearer).status_code)
        gone.append(hub.ask("DELETE", f"/v2/repositories/{USER}/app/", bearer=bearer).status_code)
    assert seen == [404, 200, 200, 200]
    assert made == [403, 403, 403, 201]
    assert gone == [404, 403, 403, 202]


def test_others_namespaces_are_theirs(hub: Clients, rehearsal: HubRehearsal) -> None:
    assert hub.ask("GET", f"/v2/namespaces/{STRANGER}/repositories/public").status_code == 200
    assert hub.create({"name": "mine"}, STRANGER).status_code == 403
    assert hub.ask("DELETE", f"/v2/repositories/{STRANGER}/public/").status_code == 403
    team = hub.bearer(rehearsal.give_token("repo:admin", organization=True), ORGANIZATION)
    assert hub.create({"name": "app"}, bearer=team).status_code == 403
    assert hub.create({"name": "app"}, ORGANIZATION, team).status_code == 201


def test_the_registry_wants_a_token_of_that_scope(hub: Clients, rehearsal: HubRehearsal) -> None:
    hub.create({"name": "app", "is_private": True})
    path, scope = f"{USER}/app", f"repository:{USER}/app:pull,push"
    challenge = hub.fetch("GET", f"{path}/manifests/1").headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="{hub.registry}/token",service="registry.docker.io"')
    assert hub.token(scope, "guessed").status_code == 401
    assert hub.fetch("GET", f"{path}/manifests/1", hub.secret).status_code == 401
    reading = rehearsal.give_token("repo:read")
    assert hub.token(scope, reading).json() == {"details": "access token has insufficient scopes"}
    reader = hub.token(scope.replace(",push", ""), reading).json()["token"]
    refused = hub.push(path, "1", reader)
    assert refused.status_code == 401
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]
    other = hub.token(f"repository:{USER}/other:pull,push").json()["token"]
    assert hub.push(path, "1", other).status_code == 401
    writer = hub.token(scope).json()["token"]
    assert hub.push(path, "1", writer).status_code == 201
    rehearsal.expire_tokens()
    assert hub.fetch("GET", f"{path}/manifests/1", writer).status_code == 401


def test_a_push_makes_a_repository_that_everybody_sees(hub: Clients) -> None:
    """Whoever wants a private one makes it first."""
    token = hub.token(f"repository:{USER}/app:pull,push").json()["token"]
    assert hub.push(f"{USER}/app", "v1", token).status_code == 201
    assert hub.ask("GET", APP, bearer="").json()["is_private"] is False
    anonymous = hub.token(f"repository:{USER}/app:pull", user="").json()["token"]
    assert hub.fetch("GET", f"{USER}/app/manifests/v1", anonymous).status_code == 200


def test_a_tag_goes_and_its_image_with_it(hub: Clients) -> None:
    token = hub.token(f"repository:{USER}/app:pull,push").json()["token"]
    hub.push(f"{USER}/app", "v1", token)
    assert [each["name"] for each in hub.ask("GET", f"{APP}/tags").json()["results"]] == ["v1"]
    assert hub.ask("DELETE", f"/v2/repositories/{USER}/app/tags/v1/").status_code == 204
    assert hub.ask("GET", f"{APP}/tags").json()["results"] == []
    assert hub.fetch("GET", f"{USER}/app/manifests/v1", token).status_code == 404
    assert hub.ask("DELETE", f"/v2/repositories/{USER}/app/tags/v1/").status_code == 404


def test_pulls_are_counted_and_end(hub: Clients, rehearsal: HubRehearsal) -> None:
    token = hub.token(f"repository:{USER}/app:pull,push").json()["token"]
    hub.push(f"{USER}/app", "v1", token)
    rehearsal.leave_pulls(1)
    looked = hub.fetch("HEAD", f"{USER}/app/manifests/v1", token)
    assert looked.headers["RateLimit-Remaining"] == "1;w=21600"
    assert hub.fetch("GET", f"{USER}/app/manifests/v1", token).headers["RateLimit-Remaining"] == "0;w=21600"
    assert hub.fetch("GET", f"{USER}/app/manifests/v1", token).status_code == 429
    measure = hub.token("repository:ratelimitpreview/test:pull").json()["token"]
    left = hub.fetch("HEAD", "ratelimitpreview/test/manifests/latest", measure)
    assert (left.status_code, left.headers["RateLimit-Limit"]) == (200, "200;w=21600")


def test_every_call_meets_its_fault_in_docker_hubs_words(hub: Clients, rehearsal: HubRehearsal) -> None:
    bearer = hub.bearer()
    rehearsal.set_retry_after(3000)
    rehearsal.faults.inject(
        FaultOrder(FaultKind.THROTTLE, "GetRepository"),
        FaultOrder(FaultKind.DENIED, "GetRepository", skip=1),
        FaultOrder(FaultKind.ERROR, "GetRepository", skip=2),
        FaultOrder(FaultKind.DENIED, "RegistryToken"),
    )
    throttled, denied, failed = (hub.ask("GET", APP, bearer=bearer) for _ in range(3))
    assert throttled.status_code == 429
    assert 2000 < int(throttled.headers["X-Retry-After"]) - time.time() <= 3000
    assert (denied.status_code, denied.json()["message"]) == (403, "permission denied")
    assert failed.status_code == 500
    assert hub.ask("GET", "/token", bearer="").json() == {"details": "access denied"}
    assert [call.action for call in rehearsal.calls()][1:] == ["GetRepository"] * 3 + ["RegistryToken"]
