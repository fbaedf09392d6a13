"""What reaches the registry, what does not, and what stays on this machine: nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode, InterruptedByUser
from mldeploy.core.events import Action, Event, Progressed, ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import ImageRepository, RegistryAccess
from mldeploy.image.registry.client import RegistryError
from mldeploy.image.registry.push import PushRequest, list_leftover_tags, push_image
from mldeploy.rehearsal.aws import FaultKind, FaultOrder
from tests.aws.harness import EcrHarness
from tests.cli.command import Command, Result
from tests.image.pushing.shelf import PASSWORD, opened
from tests.local.engine_proxy import Call, EngineProxy
from tests.tiny import build, edit

pytestmark = pytest.mark.engine


def test_the_image_is_there_by_the_digest_that_is_said(harness: EcrHarness) -> None:
    out = harness.push().out
    (image,) = harness.ecr.describe_images(repositoryName=harness.name)["imageDetails"]
    assert out.digest == image["imageDigest"]
    assert out.reference.endswith(f"/{harness.name}@{out.digest}")


def test_an_unchanged_image_is_not_pushed_at_all(harness: EcrHarness) -> None:
    harness.push()
    sent = harness.sent()
    again = harness.push()
    assert {step.action for step in again.steps} == {Action.UNCHANGED}
    assert harness.sent() == sent


def test_the_engine_is_not_even_asked_to_push_what_is_there(harness: EcrHarness, tmp_path: Path) -> None:
    with EngineProxy(tmp_path) as door:
        mldeploy = harness.command(tmp_path).with_env(DOCKER_HOST=door.endpoint)
        assert mldeploy("push", "--target", "ecr", "--no-check").code == 0
        assert _pushes(door.calls)
        before = len(door.calls)
        assert mldeploy("push", "--target", "ecr", "--no-check").code == 0
        assert len(door.calls) > before
        assert _pushes(door.calls[before:]) == []


@pytest.mark.exhaustive
def test_an_image_that_another_machine_pushed_is_not_pushed_again(
    harness: EcrHarness, engine: Engine, tmp_path: Path
) -> None:
    """The same files make another image there: its configuration says when it was made."""
    first = harness.push()
    sent = harness.sent()
    _forget(engine, harness.name)
    assert build(harness.folder, engine, tmp_path / "state").digest != first.out.digest
    again = harness.push()
    assert again.out.digest == first.out.digest
    assert harness.sent() == sent


def test_a_change_is_pushed_beside_what_is_there(harness: EcrHarness) -> None:
    first = harness.push().out
    edit(harness.folder)
    second = harness.push().out
    assert second.digest != first.digest
    there = {image["imageDigest"] for image in harness.ecr.describe_images(repositoryName=harness.name)["imageDetails"]}
    assert there == {first.digest, second.digest}


def test_each_layer_says_how_far_it_is(harness: EcrHarness) -> None:
    harness.push()
    layers = {progress.item: progress.text for progress in harness.progress if progress.item}
    assert len(layers) == 2
    assert all(text.startswith(("Pushed", "Mounted", "Layer already")) for text in layers.values())


def test_something_else_under_the_tag_is_an_error(harness: EcrHarness, engine: Engine) -> None:
    """Somebody pushed another image by hand, before the tags of the repository were fixed."""
    out = harness.push().out
    tag = harness.ecr.describe_images(repositoryName=harness.name)["imageDetails"][0]["imageTags"][0]
    repository = out.reference.partition("@")[0]
    harness.ecr.put_image_tag_mutability(repositoryName=harness.name, imageTagMutability="MUTABLE")
    _push_by_hand(harness, engine, f"{repository}:{tag}")
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    assert "another image" in caught.value.what
    assert caught.value.exit_code is ExitCode.REMOTE


def test_credentials_that_may_not_be_had_fail_the_push(harness: EcrHarness) -> None:
    harness.push()
    edit(harness.folder)
    harness.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, "ecr:GetAuthorizationToken", skip=1, times=0))
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    assert "ecr:GetAuthorizationToken" in caught.value.what
    assert caught.value.exit_code is ExitCode.ACCESS


def test_a_registry_that_refuses_fails_the_push(engine: Engine, own: Path, tmp_path: Path) -> None:
    """The engine says so in its stream alone."""
    image = build(own, engine, tmp_path / "state")
    with opened() as shelf:
        repository = ImageRepository(f"{shelf.address}/app", shelf.access)
        with pytest.raises(RegistryError, match="refuses the push") as caught:
            push_image(engine, PushRequest(image.reference, repository, "1"), monitor())
    assert PASSWORD not in str(caught.value)
    assert list_leftover_tags(engine, "app") == ()


def test_the_registry_has_the_last_word(harness: EcrHarness, engine: Engine) -> None:
    """What the engine says it has pushed is not believed until the registry says the same."""
    name, _, digest = harness.push().out.reference.partition("@")
    tag = harness.ecr.describe_images(repositoryName=harness.name)["imageDetails"][0]["imageTags"][0]
    with opened() as shelf:
        other, _ = shelf.put(harness.name, tag, {})

        def enter() -> RegistryAccess:
            """The engine gets real credentials; later requests go to another registry."""
            return replace(harness.access(), address=shelf.address)

        with pytest.raises(RegistryError) as caught:
            push_image(engine, PushRequest(f"{harness.name}:{tag}", ImageRepository(name, enter), tag), monitor())
    assert f"pushed {digest}, and the registry has {other}" in caught.value.what


def test_a_stop_in_the_middle_is_heard_and_resumed(harness: EcrHarness, engine: Engine) -> None:
    cancel = Cancel()

    class Impatient(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            if isinstance(event, Progressed) and event.resource.kind == "pushed-image":
                cancel.request()

    harness.heard = Impatient()
    with pytest.raises(InterruptedByUser):
        harness.push(cancel)
    assert list_leftover_tags(engine, harness.name) == ()
    harness.heard = []
    assert harness.push().out.digest


@pytest.mark.exhaustive
def test_the_journey_of_a_user(harness: EcrHarness, tmp_path: Path, engine: Engine) -> None:
    mldeploy = harness.command(tmp_path)
    login = mldeploy("login", "--target", "ecr", "--json")
    assert login.code == 0, login.err
    assert login.document["place"] == ["123456789012", harness.rehearsal.endpoints.region]
    assert login.document["stored"] is None

    pushed = mldeploy("push", "--target", "ecr", "--no-check", "--verbose", "--json")
    first = pushed.document
    _check_nothing_stays(harness, mldeploy, pushed)
    assert list_leftover_tags(engine, harness.name) == ()
    assert not (tmp_path / "docker").exists()

    again = mldeploy("push", "--target", "ecr", "--json").document
    assert again["image"] == first["image"]
    assert {step["action"] for step in again["steps"]} == {"unchanged"}  # type: ignore[attr-defined]
    assert mldeploy("plan", "--target", "ecr", "--json").document["noop"] is True

    status = mldeploy("status", "--target", "ecr", "--json").document
    assert status["url"] is None
    assert {step["state"] for step in status["steps"]} == {"present"}  # type: ignore[attr-defined]
    for command in ("deploy", "ps"):
        refused = mldeploy(command, "--target", "ecr")
        assert refused.code == ExitCode.USAGE
        assert "is a registry and does not run apps" in refused.err

    gone = mldeploy("destroy", "--target", "ecr", "--yes", "--json").document
    assert gone["removed"] == [{"kind": "ecr-repository", "name": harness.name}]
    assert harness.repositories == []
    assert catalogue.list_images(engine, harness.name), "the image belongs to the engine"
    assert list(mldeploy.state.rglob("*.journal")) == []


def monitor() -> Monitor:
    return Monitor(Resource("pushed-image", Key("app")), ignore, Cancel())


def _check_nothing_stays(harness: EcrHarness, mldeploy: Command, result: Result) -> None:
    """No key of AWS's and no password of the registry's in the log, the journal or the output."""
    token = harness.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    secret = dict(harness.rehearsal.endpoints.credentials)["aws_secret_access_key"].reveal()
    written = [path.read_text() for path in mldeploy.state.rglob("*") if path.is_file()]
    assert written
    for text in (*written, result.out, result.err):
        assert not any(hidden in text for hidden in (token, password, secret))


def _pushes(calls: Sequence[Call]) -> list[str]:
    return [call.verb for call in calls if call.verb.endswith("/push")]


def _forget(engine: Engine, app: str) -> None:
    for image in engine.client.images(filters={"label": [f"mldeploy.app={app}"]}):
        engine.client.remove_image(image["Id"], force=True)


def _push_by_hand(harness: EcrHarness, engine: Engine, reference: str) -> None:
    """What `docker tag` and `docker push` do."""
    repository, _, tag = reference.rpartition(":")
    data = harness.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(data).decode().partition(":")
    other = next(image for image in engine.client.images() if f"{harness.name}-base:1" in (image["RepoTags"] or ()))
    engine.client.tag(other["Id"], repository, tag)
    try:
        stream = engine.client.push(repository, tag, auth_config={"username": user, "password": password})
        assert "errorDetail" not in stream
    finally:
        engine.client.remove_image(reference, noprune=True)
