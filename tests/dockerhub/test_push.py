"""What reaches Docker Hub, whose the repository is, who may see it, and what is left."""

from __future__ import annotations

import re

import pytest

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError, Intent
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import list_leftover_tags
from mldeploy.providers.dockerhub.repository import HubImage
from mldeploy.rehearsal.dockerhub.repositories import ORGANIZATION, USER
from tests.cli.command import Command
from tests.dockerhub.harness import ANOTHER, HubHarness
from tests.tiny import edit

pytestmark = pytest.mark.engine


def refused(harness: HubHarness) -> DeploymentFailedError:
    """How a push fails."""
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    return caught.value


def test_the_image_is_there_by_the_digest_that_is_said(harness: HubHarness) -> None:
    out = harness.push().out
    (tag,) = harness.others.tags(harness.name)
    assert re.fullmatch("[0-9a-f]{16}", tag)
    assert out.reference.endswith(f"/{USER}/{harness.name}@{out.digest}")


def test_the_repository_is_private_and_says_whose_it_is(harness: HubHarness) -> None:
    assert harness.changes()["dockerhub-repository"].title == "Create the private Docker Hub repository"
    harness.push()
    repository = harness.others.repository(harness.name)
    assert repository is not None
    assert repository["is_private"] is True
    assert f"mldeploy.app={harness.name} mldeploy.target=dockerhub" in repository["description"]


def test_an_unchanged_image_is_not_pushed_and_nothing_is_written(harness: HubHarness) -> None:
    harness.push()
    sent, before = harness.sent(), len(harness.rehearsal.calls())
    assert {step.action for step in harness.push().steps} == {Action.UNCHANGED}
    assert harness.sent() == sent
    assert not any(call.writing for call in harness.rehearsal.calls()[before:])


def test_who_may_see_it_is_said_and_mended(harness: HubHarness) -> None:
    harness.set(private=False)
    assert "public" in harness.changes()["dockerhub-repository"].title
    harness.push()
    harness.set()
    assert harness.changes()["dockerhub-repository"].reasons == ("public → private",)
    harness.push()
    repository = harness.others.repository(harness.name)
    assert repository is not None
    assert repository["is_private"] is True


def test_a_repository_that_nobody_has_marked_is_used_as_it_is_and_stays(changing: HubHarness) -> None:
    changing.others.make(changing.name, "Made by hand", private=True)
    changing.set(keep_images=1)
    changing.push()
    edit(changing.folder)
    changing.push()
    assert len(changing.others.tags(changing.name)) == 2, "its images are not ours to remove either"
    assert changing.destroy() == ()
    repository = changing.others.repository(changing.name)
    assert repository is not None
    assert repository["description"] == "Made by hand"


def test_an_image_that_is_to_be_private_does_not_go_where_everybody_sees_it(harness: HubHarness) -> None:
    harness.others.make(harness.name)
    assert harness.changes()["dockerhub-repository"].intent is Intent.REFUSE
    error = refused(harness)
    assert isinstance(error.failures[0][1], RefusedError)
    assert "public → private" in error.what
    assert harness.others.tags(harness.name) == []
    harness.set(private=False)
    harness.push()


def test_another_apps_repository_is_refused_with_what_it_lacks(harness: HubHarness) -> None:
    harness.others.make(harness.name, ANOTHER, private=True)
    error = refused(harness)
    assert f"mldeploy.app another → {harness.name}" in error.what
    assert error.exit_code is ExitCode.REFUSED
    assert harness.destroy() == ()


def test_older_images_go_and_what_others_have_tagged_stays(changing: HubHarness) -> None:
    changing.set(keep_images=2)
    changing.push()
    (first,) = changing.others.tags(changing.name)
    changing.others.retag(f"{USER}/{changing.name}", first, "stable")
    for _ in range(2):
        edit(changing.folder)
        changing.push()
    left = changing.others.tags(changing.name)
    assert "stable" in left
    assert first not in left
    assert len(left) == 3
    assert {step.action for step in changing.push().steps} == {Action.UNCHANGED}


def test_a_token_that_may_not_delete_pushes_all_the_same(changing: HubHarness) -> None:
    changing.set(keep_images=1)
    changing.push()
    changing.credentials = USER, changing.rehearsal.give_token("repo:write")
    edit(changing.folder)
    assert changing.push().out.digest
    (note,) = changing.notes
    assert "1 older images stay" in note
    assert "DeleteTag" in note
    assert len(changing.others.tags(changing.name)) == 2


def test_an_organization_has_repositories_too_and_tokens_of_its_own(harness: HubHarness) -> None:
    harness.set(namespace=ORGANIZATION)
    harness.push()
    assert len(harness.others.tags(harness.name, ORGANIZATION)) == 1
    assert [each.kind for each in harness.destroy()] == ["dockerhub-repository"]
    harness.credentials = ORGANIZATION, harness.rehearsal.give_token("repo:admin", organization=True)
    harness.set()
    assert f"/{ORGANIZATION}/{harness.name}@" in harness.push().out.reference


def test_what_was_made_under_another_name_is_found_without_a_journal(harness: HubHarness) -> None:
    harness.set(repository="former-name")
    harness.push()
    for journal in harness.state.rglob("*.journal"):
        journal.unlink()
    harness.set()
    assert [str(each) for each in harness.destroy()] == ["dockerhub-repository former-name"]
    assert harness.rehearsal.contents() == ()


def test_a_removal_waits_until_it_is_gone(harness: HubHarness) -> None:
    harness.push()
    harness.rehearsal.set_deletion_delay(0.7)
    harness.destroy()
    assert harness.others.repository(harness.name) is None


def test_the_short_name_of_a_docker_hub_image_is_not_left_on_the_engine(harness: HubHarness, engine: Engine) -> None:
    """What a push that was killed leaves of the real one."""
    stored, path = catalogue.list_images(engine, harness.name)[0], f"{USER}/{harness.name}"
    engine.client.tag(stored.reference, f"docker.io/{path}", stored.reference.rpartition(":")[2])
    assert list_leftover_tags(engine, path, shortened=True)
    assert HubImage.undo(harness.connect(), harness.step.key(), harness.monitor)
    assert list_leftover_tags(engine, path, shortened=True) == ()
    assert catalogue.list_images(engine, harness.name), "the image itself stays"


@pytest.mark.exhaustive
def test_the_journey_of_a_user(harness: HubHarness, mldeploy: Command) -> None:
    given = {name: value.reveal() for name, value in harness.rehearsal.endpoints.credentials}
    here = Command(mldeploy.home, harness.folder, mldeploy.extra).with_env(
        DOCKERHUB_USERNAME=given["username"], DOCKERHUB_TOKEN=given["token"]
    )
    pushed = here("push", "--no-check", "--target", "dockerhub", "--rehearse", "--verbose", "--json")
    try:
        assert pushed.code == 0, pushed.err
        assert here("plan", "--target", "dockerhub", "--rehearse", "--json").document["noop"] is True
        login = here("login", "--target", "dockerhub", "--rehearse", "--json").document
        assert (login["place"], login["stored"]) == ([USER], None)
        scopes = here("policy", "--target", "dockerhub", "--rehearse", "--json").document["policy"]
        assert isinstance(scopes, dict)
        assert scopes["scopes"] == ["repo:admin"]
        secret = here.state / "rehearsal.dockerhub" / "place.json"
        written = [path for path in here.state.rglob("*") if path.is_file() and path != secret]
        played = re.search(r'"token": "(dckr_pat_[^"]+)"', secret.read_text())
        assert played
        texts = [path.read_text(errors="replace") for path in written if "registry" not in path.parts]
        for text in (*texts, pushed.out, pushed.err):
            assert played[1] not in text
            assert given["token"] not in text
        gone = here("destroy", "--target", "dockerhub", "--rehearse", "--yes", "--json").document
        assert gone["removed"] == [{"kind": "dockerhub-repository", "name": harness.name}]
    finally:
        here("rehearse", "down")
