"""What reaches Docker Hub, whose the repository is, who may see it, and what is left."""

from __future__ import annotations

import re

import pytest

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError, Intent
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import names
from mldeploy.providers.dockerhub.repository import HubImage
from mldeploy.rehearsal.dockerhub.accounts import ORGANIZATION, USER
from tests.cli.command import Command
from tests.dockerhub.others import ANOTHER
from tests.dockerhub.shop import HubShop
from tests.tiny import edit

pytestmark = pytest.mark.engine


def refused(shop: HubShop) -> DeploymentFailedError:
    """How a push fails."""
    with pytest.raises(DeploymentFailedError) as caught:
        shop.push()
    return caught.value


def test_the_image_is_there_by_the_digest_that_is_said(shop: HubShop) -> None:
    out = shop.push().out
    (tag,) = shop.others.tags(shop.name)
    assert re.fullmatch("[0-9a-f]{16}", tag)
    assert out.reference.endswith(f"/{USER}/{shop.name}@{out.digest}")


def test_the_repository_is_private_and_says_whose_it_is(shop: HubShop) -> None:
    assert shop.changes()["dockerhub-repository"].title == "Create the private Docker Hub repository"
    shop.push()
    found = shop.others.repository(shop.name)
    assert found is not None
    assert found["is_private"] is True
    assert f"mldeploy.app={shop.name} mldeploy.target=dockerhub" in found["description"]


def test_an_unchanged_image_is_not_pushed_and_nothing_is_written(shop: HubShop) -> None:
    shop.push()
    sent, before = shop.sent(), len(shop.rehearsal.calls())
    assert {step.action for step in shop.push().steps} == {Action.UNCHANGED}
    assert shop.sent() == sent
    assert not any(call.writing for call in shop.rehearsal.calls()[before:])


def test_who_may_see_it_is_said_and_mended(shop: HubShop) -> None:
    shop.set(private=False)
    assert "public" in shop.changes()["dockerhub-repository"].title
    shop.push()
    shop.set()
    assert shop.changes()["dockerhub-repository"].reasons == ("public → private",)
    shop.push()
    found = shop.others.repository(shop.name)
    assert found is not None
    assert found["is_private"] is True


def test_a_repository_that_nobody_has_marked_is_used_as_it_is_and_stays(changing: HubShop) -> None:
    changing.others.make(changing.name, "Made by hand", private=True)
    changing.set(keep_images=1)
    changing.push()
    edit(changing.folder)
    changing.push()
    assert len(changing.others.tags(changing.name)) == 2, "its images are not ours to remove either"
    assert changing.destroy() == ()
    found = changing.others.repository(changing.name)
    assert found is not None
    assert found["description"] == "Made by hand"


def test_an_image_that_is_to_be_private_does_not_go_where_everybody_sees_it(shop: HubShop) -> None:
    shop.others.make(shop.name)
    assert shop.changes()["dockerhub-repository"].intent is Intent.REFUSE
    error = refused(shop)
    assert isinstance(error.failures[0][1], RefusedError)
    assert "public → private" in error.what
    assert shop.others.tags(shop.name) == []
    shop.set(private=False)
    shop.push()


def test_another_apps_repository_is_refused_with_what_it_lacks(shop: HubShop) -> None:
    shop.others.make(shop.name, ANOTHER, private=True)
    error = refused(shop)
    assert f"mldeploy.app another → {shop.name}" in error.what
    assert error.exit_code is ExitCode.REFUSED
    assert shop.destroy() == ()


def test_older_images_go_and_what_others_have_tagged_stays(changing: HubShop) -> None:
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


def test_a_token_that_may_not_delete_pushes_all_the_same(changing: HubShop) -> None:
    changing.set(keep_images=1)
    changing.push()
    changing.credentials = USER, changing.rehearsal.give_token("repo:write")
    edit(changing.folder)
    assert changing.push().out.digest
    (note,) = changing.notes
    assert "1 older images stay" in note
    assert "DeleteTag" in note
    assert len(changing.others.tags(changing.name)) == 2


def test_an_organization_has_repositories_too_and_tokens_of_its_own(shop: HubShop) -> None:
    shop.set(namespace=ORGANIZATION)
    shop.push()
    assert len(shop.others.tags(shop.name, ORGANIZATION)) == 1
    assert [each.kind for each in shop.destroy()] == ["dockerhub-repository"]
    shop.credentials = ORGANIZATION, shop.rehearsal.give_token("repo:admin", organization=True)
    shop.set()
    assert f"/{ORGANIZATION}/{shop.name}@" in shop.push().out.reference


def test_what_was_made_under_another_name_is_found_without_a_journal(shop: HubShop) -> None:
    shop.set(repository="former-name")
    shop.push()
    for journal in shop.state.rglob("*.journal"):
        journal.unlink()
    shop.set()
    assert [str(each) for each in shop.destroy()] == ["dockerhub-repository former-name"]
    assert shop.rehearsal.contents() == ()


def test_a_removal_waits_until_it_is_gone(shop: HubShop) -> None:
    shop.push()
    shop.rehearsal.linger(0.7)
    shop.destroy()
    assert shop.others.repository(shop.name) is None


def test_the_short_name_that_an_engine_gives_to_docker_hub_is_not_left_on_it(shop: HubShop, engine: Engine) -> None:
    """What a push that was killed leaves of the real one."""
    stored, path = catalogue.images(engine, shop.name)[0], f"{USER}/{shop.name}"
    engine.client.tag(stored.reference, f"docker.io/{path}", stored.reference.rpartition(":")[2])
    assert names(engine, path, shortened=True)
    assert HubImage.undo(shop.connect(), shop.step.key(), shop.monitor)
    assert names(engine, path, shortened=True) == ()
    assert catalogue.images(engine, shop.name), "the image itself stays"


def test_the_journey_of_a_user(shop: HubShop, mldeploy: Command) -> None:
    given = {name: value.reveal() for name, value in shop.rehearsal.endpoints.credentials}
    here = Command(mldeploy.home, shop.folder, mldeploy.extra).with_env(
        DOCKERHUB_USERNAME=given["username"], DOCKERHUB_TOKEN=given["token"]
    )
    pushed = here("push", "--target", "dockerhub", "--rehearse", "--verbose", "--json")
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
        told = [path.read_text(errors="replace") for path in written if "registry" not in path.parts]
        for text in (*told, pushed.out, pushed.err):
            assert played[1] not in text
            assert given["token"] not in text
        gone = here("destroy", "--target", "dockerhub", "--rehearse", "--yes", "--json").document
        assert gone["removed"] == [{"kind": "dockerhub-repository", "name": shop.name}]
    finally:
        here("rehearse", "down")
