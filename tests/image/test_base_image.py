"""The base image: found on the engine, or pulled from a real registry's protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.events import Action
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import Deployed, DeploymentFailedError, deploy
from mldeploy.image.steps import BaseImage
from mldeploy.image.types import BaseDigest
from tests.image.registry import Registry, registry
from tests.image.shop import Cloud, Shop, write

pytestmark = pytest.mark.engine


@pytest.fixture
def held(alone: Shop) -> Iterator[Registry]:
    """A registry with one image; the engine forgets it afterwards."""
    with registry() as opened:
        opened.fill()
        yield opened
        alone.remove()  # what was built on it
        for image in alone.engine.client.images(f"{opened.address}/base", quiet=True):
            alone.engine.client.remove_image(image, force=True)


def get(shop: Shop, given: Project) -> Deployed[BaseDigest]:
    with Journal(shop.folder.with_name("state"), Scope(shop.name, "local"), "build") as journal:
        return deploy(BaseImage(given), Session(Cloud(shop.engine), journal, Cancel(), shop.events.append))


def failure(shop: Shop, given: Project) -> MldeployError:
    with pytest.raises(DeploymentFailedError) as caught:
        get(shop, given)
    error = caught.value.failures[0][1]
    assert isinstance(error, MldeployError)
    return error


def test_one_that_is_there_is_not_touched(alone: Shop) -> None:
    given = alone.project()
    done = get(alone, given)
    assert [step.action for step in done.steps] == [Action.UNCHANGED]
    image = alone.engine.client.inspect_image(given.build.base_image)
    known = {image["Id"], *(each.partition("@")[2] for each in image["RepoDigests"] or ())}
    assert [(name, digest in known) for name, digest in done.out.digests] == [(given.build.base_image, True)]


def test_one_that_is_not_there_is_pulled_and_known_by_the_registrys_digest(alone: Shop, held: Registry) -> None:
    done = get(alone, alone.project(base_image=held.reference))
    assert [step.action for step in done.steps] == [Action.CREATED]
    assert done.out.digests == ((held.reference, held.digest),)
    assert get(alone, alone.project(base_image=held.reference)).out == done.out


def test_what_a_registry_calls_it_under_another_name_does_not_matter(alone: Shop, held: Registry) -> None:
    """Or a push of the base, wherever to, would change the hash of every image that stands on it."""
    get(alone, alone.project(base_image=held.reference))
    client = alone.engine.client
    client.tag(held.reference, alone.name, "base")
    try:
        done = get(alone, alone.project(base_image=f"{alone.name}:base"))
        assert done.out.digests[0][1] == client.inspect_image(held.reference)["Id"]
    finally:
        client.remove_image(f"{alone.name}:base")


def test_a_pull_tells_every_layers_bytes(alone: Shop, held: Registry) -> None:
    get(alone, alone.project(base_image=held.reference))
    messages = [each for each in alone.progress() if each.in_bytes]
    assert len({each.item for each in messages}) == 2
    assert all(0 <= each.done <= each.total for each in messages)
    assert {each.text for each in messages} >= {"Downloading"}


def test_every_image_of_a_dockerfile_is_pulled(alone: Shop, held: Registry) -> None:
    first = alone.project().build.base_image
    write(alone.folder, {"Dockerfile": f"FROM {first} AS one\nFROM {held.reference}\nCOPY --from=one /etc/hostname /"})
    done = get(alone, alone.project(dockerfile="Dockerfile"))
    assert [name for name, _ in done.out.digests] == [first, held.reference]


def test_one_that_does_not_exist(alone: Shop, held: Registry) -> None:
    error = failure(alone, alone.project(base_image=f"{held.address}/base:2"))
    assert error.where == f"{held.address}/base:2"
    assert "there is no such image" in error.what
    assert "build.base_image" in error.todo
    assert error.exit_code is ExitCode.BUILD


def test_a_registry_that_does_not_answer(alone: Shop) -> None:
    error = failure(alone, alone.project(base_image="127.0.0.1:9/base:1"))
    assert "cannot be pulled" in error.what
    assert "build.base_image" in error.todo


def test_one_for_another_platform(alone: Shop, held: Registry) -> None:
    held.architecture = "riscv64"
    held.fill()
    error = failure(alone, alone.project(base_image=held.reference))
    assert "linux/amd64" in str(error) or alone.project().build.platform in str(error)
    assert "build.platform" in error.todo or "build.base_image" in error.todo


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_the_users_login_is_used(alone: Shop, held: Registry, config: Path) -> None:
    held.login = base64.b64encode(b"me:secret").decode()
    refused = failure(alone, alone.project(base_image=held.reference))
    assert "docker login" in refused.todo
    config.write_text(json.dumps({"auths": {held.address: {"auth": held.login}}}))
    assert get(alone, alone.project(base_image=held.reference)).out.digests[0][1] == held.digest


def test_a_broken_credential_helper_breaks_neither_a_pull_nor_a_build(
    alone: Shop, held: Registry, config: Path
) -> None:
    config.write_text(json.dumps({"credsStore": "is-not-installed", "credHelpers": {held.address: "neither"}}))
    get(alone, alone.project(base_image=held.reference))
    assert any("without credentials" in note for note in alone.notes())
    write(alone.folder, {"Dockerfile": f"FROM {held.reference}\nCOPY app.py /\n"})
    assert alone.build(alone.project(dockerfile="Dockerfile")).out.size > 6 << 20
