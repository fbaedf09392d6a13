"""Asking a registry: any that speaks the OCI distribution spec, whichever way it wants to be told who asks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.client import RegistryClient, RegistryError
from tests.image.pushing.shelf import PASSWORD, Shelf, digest, opened

PLATFORM = "linux/amd64"


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with opened() as shelf:
        yield shelf


@pytest.mark.parametrize("wants", ["", "basic", "bearer"])
def test_an_image_is_found_whatever_credentials_are_wanted(shelf: Shelf, wants: str) -> None:
    shelf.wants = wants
    manifest, config = shelf.put("team/app", "1", {"mldeploy.hash": "abc"})
    with RegistryClient(shelf.access()) as registry:
        held = registry.image("team/app", "1", PLATFORM)
        assert registry.digest("team/app", "1") == manifest
    assert held is not None
    assert (held.digest, held.config, dict(held.labels)) == (manifest, config, {"mldeploy.hash": "abc"})


def test_a_token_is_fetched_once_for_what_the_registry_asks(shelf: Shelf) -> None:
    shelf.wants = "bearer"
    shelf.put("app", "1", {})
    with RegistryClient(shelf.access()) as registry:
        registry.image("app", "1", PLATFORM)
        registry.digest("app", "1")
    assert shelf.token_queries == [{"service": ["shelf"], "scope": ["repository:app:pull"]}]
    assert ("GET", "/token", "Basic") in shelf.asked


def test_who_has_no_credentials_sends_none(shelf: Shelf) -> None:
    shelf.put("app", "1", {})
    with RegistryClient(RegistryAccess(shelf.address)) as registry:
        assert registry.digest("app", "1")
    assert {kind for _, _, kind in shelf.asked} == {""}


def test_what_is_not_there_is_none(shelf: Shelf) -> None:
    with RegistryClient(shelf.access()) as registry:
        assert registry.image("app", "1", PLATFORM) is None
        assert registry.digest("app", "1") is None


def test_of_an_index_the_image_for_the_platform_is_taken(shelf: Shelf) -> None:
    other, _ = shelf.put("app", "other", {"for": "arm"})
    ours, config = shelf.put("app", "ours", {"for": "amd"})
    listed = [
        {"digest": other, "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": ours, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    index = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    shelf.holds["app/manifests/1"] = index
    with RegistryClient(shelf.access()) as registry:
        held = registry.image("app", "1", PLATFORM)
        assert held is not None
        assert (held.digest, held.config, dict(held.labels)) == (digest(index), config, {"for": "amd"})
        with pytest.raises(RegistryError, match="holds nothing for linux/s390x"):
            registry.image("app", "1", "linux/s390x")


def test_a_digest_that_is_not_told_is_computed(shelf: Shelf) -> None:
    manifest, _ = shelf.put("app", "1", {})
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("app", "1") == manifest
    shelf.headers = {"Docker-Content-Digest": "sha256:told"}
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("app", "1") == "sha256:told"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_not_noticed(shelf: Shelf, status: int) -> None:
    manifest, _ = shelf.put("app", "1", {})
    shelf.statuses = [status, status]
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("app", "1") == manifest


@pytest.mark.parametrize("name", ["Retry-After", "X-Retry-After"])
def test_a_wait_is_kept_to_if_it_is_short_and_told_if_it_is_long(shelf: Shelf, name: str) -> None:
    manifest, _ = shelf.put("app", "1", {})
    moment = 0.0 if name == "Retry-After" else time.time()
    shelf.statuses, shelf.headers = [429], {name: str(int(moment + 2))}
    begun = time.monotonic()
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("app", "1") == manifest
    assert time.monotonic() - begun > 0.9, "a time of day is told in whole seconds"
    shelf.statuses, shelf.headers = [429], {name: str(int(moment + 3600))}
    with RegistryClient(shelf.access()) as registry, pytest.raises(RegistryError, match="429"):
        registry.digest("app", "1")
    assert time.monotonic() - begun < 1800


def test_who_gives_out_tokens_is_asked_again_and_may_say_no(shelf: Shelf) -> None:
    manifest, _ = shelf.put("app", "1", {})
    shelf.wants, shelf.token_statuses = "bearer", [503, 429]
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("app", "1") == manifest
    shelf.token_statuses = [401]
    with (
        RegistryClient(shelf.access()) as registry,
        pytest.raises(RegistryError, match="401 Unauthorized to app") as caught,
    ):
        registry.image("app", "1", "linux/amd64")
    assert "who are you?" in caught.value.what


@pytest.mark.parametrize("wants", ["basic", "bearer"])
def test_wrong_credentials_are_a_doubt_and_never_an_absence(shelf: Shelf, wants: str) -> None:
    shelf.wants, shelf.trusts = wants, False
    shelf.put("app", "1", {})
    with RegistryClient(shelf.access("wrong")) as registry, pytest.raises(RegistryError) as caught:
        registry.image("app", "1", PLATFORM)
    assert caught.value.exit_code is ExitCode.REMOTE
    assert "401" in caught.value.what
    assert "who are you?" in caught.value.what
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff"])
def test_what_is_no_registry_is_said_to_be_none(shelf: Shelf, body: bytes) -> None:
    shelf.holds["app/manifests/1"] = body
    with RegistryClient(shelf.access()) as registry, pytest.raises(RegistryError, match="did not return a manifest"):
        registry.image("app", "1", PLATFORM)


def test_a_registry_that_is_not_there_says_what_to_do() -> None:
    with RegistryClient(RegistryAccess("127.0.0.1:9")) as registry, pytest.raises(RegistryError) as caught:
        registry.digest("app", "1")
    assert "does not answer" in caught.value.what
    assert "network" in caught.value.todo


def test_another_scope_gets_another_token(shelf: Shelf) -> None:
    """A token to pull does not delete."""
    shelf.wants = "bearer"
    shelf.put("team/app", "1", {})
    with RegistryClient(shelf.access()) as registry:
        assert registry.digest("team/app", "1")
        shelf.trusts = False
        shelf.scope = "repository:app:delete"
        assert registry.delete("team/app", digest(b"x")) is False
    assert [each["scope"] for each in shelf.token_queries] == [["repository:app:pull"], ["repository:app:delete"]]


@pytest.mark.parametrize(("status", "done"), [(404, True), (405, False), (403, False)])
def test_a_deletion_says_whether_it_is_allowed(shelf: Shelf, status: int, done: bool) -> None:
    shelf.statuses = [status]
    with RegistryClient(shelf.access()) as registry:
        assert registry.delete("team/app", digest(b"x")) is done
