"""The registry is a real one: what the engine pushes to it is what Artifact Registry knows; strangers stay outside."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import requests
from google.cloud import artifactregistry_v1 as ar

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.rehearsal.gcp.clients import Clients
from tests.rehearsal.test_registry import import_image

pytestmark = pytest.mark.engine
USER = "oauth2accesstoken"


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    """An image that no other test has."""
    name = f"t{uuid.uuid4().hex[:10]}:1"
    import_image(engine, name)
    yield name
    engine.client.remove_image(name, force=True)


def push(engine: Engine, image: str, repository: str, tag: str, login: tuple[str, str] | None) -> tuple[str, str]:
    """Push, and give back the digest and the error; one of them is empty."""
    engine.client.tag(image, repository, tag)
    auth = {"username": login[0], "password": login[1]} if login else None
    digest = error = ""
    for event in engine.client.push(repository, tag, auth_config=auth, stream=True, decode=True):
        error = error or event.get("error", "")
        digest = digest or event.get("aux", {}).get("Digest", "")
    engine.client.remove_image(f"{repository}:{tag}")
    return digest, error


def test_what_is_pushed_is_what_artifact_registry_knows(engine: Engine, image: str, google: Clients) -> None:
    made = google.repository()
    digest, error = push(engine, image, f"{made.registry_uri}/app", "v1", (USER, google.password()))
    assert error == ""
    (known,) = google.artifacts.list_docker_images(parent=made.name)
    assert (known.uri, list(known.tags)) == (f"{made.registry_uri}/app@{digest}", ["v1"])
    assert known.image_size_bytes > 0
    assert google.artifacts.get_repository(name=made.name).size_bytes == known.image_size_bytes


def test_the_engine_can_pull_it_again(engine: Engine, image: str, google: Clients) -> None:
    uri = f"{google.repository().registry_uri}/app"
    login = (USER, google.password())
    digest, _ = push(engine, image, uri, "v1", login)
    engine.client.remove_image(image, force=True)
    auth = {"username": login[0], "password": login[1]}
    events = list(engine.client.pull(uri, tag=digest, auth_config=auth, stream=True, decode=True))
    assert not [event for event in events if "error" in event]
    name, _, tag = image.partition(":")
    engine.client.tag(f"{uri}@{digest}", name, tag)
    engine.client.remove_image(f"{uri}@{digest}", noprune=True)


@pytest.mark.parametrize(
    ("login", "why"),
    [
        (None, "unauthorized|no basic auth"),
        ((USER, "ya29.guessed"), "unauthorized|authentication failed"),
        (("somebody", ""), "unauthorized|authentication failed"),
    ],
)
def test_a_push_without_a_good_token_is_refused(
    engine: Engine, image: str, google: Clients, login: tuple[str, str] | None, why: str
) -> None:
    made = google.repository()
    given = (login[0], login[1] or google.password()) if login else None
    _, error = push(engine, image, f"{made.registry_uri}/app", "v1", given)
    assert any(each in error for each in why.split("|")), error
    assert list(google.artifacts.list_docker_images(parent=made.name)) == []


def test_a_push_to_a_repository_that_does_not_exist_is_refused(engine: Engine, image: str, google: Clients) -> None:
    name = f"{google.rehearsal.record.registry}/{google.project}/nowhere/app"
    assert 'Repository "nowhere" not found' in push(engine, image, name, "v1", (USER, google.password()))[1]


def test_a_push_without_an_images_name_is_refused(engine: Engine, image: str, google: Clients) -> None:
    uri = google.repository().registry_uri
    assert "Missing image name" in push(engine, image, uri, "v1", (USER, google.password()))[1]


def test_an_immutable_tag_keeps_its_image(engine: Engine, image: str, google: Clients) -> None:
    made = google.repository(docker_config=ar.Repository.DockerRepositoryConfig(immutable_tags=True))
    login = (USER, google.password())
    digest, _ = push(engine, image, f"{made.registry_uri}/app", "v1", login)
    other = f"t{uuid.uuid4().hex[:10]}:1"
    import_image(engine, other)
    try:
        assert "the tag is immutable" in push(engine, other, f"{made.registry_uri}/app", "v1", login)[1]
    finally:
        engine.client.remove_image(other, force=True)
    (known,) = google.artifacts.list_docker_images(parent=made.name)
    assert known.uri.endswith(digest)


def test_its_images_go_with_a_repository(engine: Engine, image: str, google: Clients, rehearsal: GcpRehearsal) -> None:
    made = google.repository()
    login = (USER, google.password())
    digest, _ = push(engine, image, f"{made.registry_uri}/app", "v1", login)
    google.artifacts.delete_repository(name=made.name).result(timeout=300)
    google.repository()
    manifest = f"http://{rehearsal.record.registry}/v2/{google.project}/app/app/manifests/{digest}"
    assert requests.head(manifest, auth=login, timeout=120).status_code == 404
    assert [each.kind for each in rehearsal.contents()] == ["artifactregistry:repository"]


def test_whoever_asks_without_a_token_is_told_where_there_are_some(google: Clients) -> None:
    response = requests.get(f"http://{google.rehearsal.record.registry}/v2/", timeout=120)
    assert response.status_code == 401
    realm = response.headers["WWW-Authenticate"].split('"')[1]
    given = requests.get(realm, auth=(USER, google.password()), timeout=120).json()["token"]
    bearer = {"Authorization": f"Bearer {given}"}
    assert requests.get(f"http://{google.rehearsal.record.registry}/v2/", headers=bearer, timeout=120).ok
