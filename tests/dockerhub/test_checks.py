"""What the doctor says of Docker Hub, and what the policy covers."""

from __future__ import annotations

import pytest

from mldeploy.providers.checks import Diagnosable, Level
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.providers.policies import HasPolicy
from mldeploy.rehearsal.dockerhub.accounts import USER
from tests.dockerhub.others import ANOTHER
from tests.dockerhub.shop import HubShop

pytestmark = pytest.mark.engine


def test_before_the_first_push_and_after_it(shop: HubShop) -> None:
    assert isinstance(DockerHubProvider(), Diagnosable)
    found = shop.look()
    assert {each.level for each in found.values()} == {Level.OK}
    assert f"there is no {USER}/{shop.name} yet" in found["repository"].what
    assert found["pulls"].what == "200 of 200 are left, counted over 6 hours"
    shop.push()
    assert shop.look()["repository"].what == f"{USER}/{shop.name} is the app's, and private"
    assert shop.look()["credentials"].what == "rehearsal, in the namespace rehearsal"


def test_a_token_that_may_not_push(shop: HubShop) -> None:
    shop.credentials = USER, shop.rehearsal.give_token("repo:read")
    found = shop.look()
    assert found["token"].level is Level.ERROR
    assert "allows pull" in found["token"].what
    assert found["repository"].level is Level.ERROR, "404 says nothing to those who may not push"
    shop.credentials = USER, "dckr_pat_wrong"
    assert set(shop.look()) == {"credentials"}


def test_repositories_that_are_not_ours(shop: HubShop) -> None:
    shop.others.make(shop.name)
    assert "everybody sees it" in shop.look()["repository"].what
    shop.set(private=False)
    assert "uses it and leaves it" in shop.look()["repository"].what
    shop.others.make("theirs", ANOTHER)
    shop.set(repository="theirs")
    assert "another app's" in shop.look()["repository"].what


def test_no_pulls_are_left(shop: HubShop) -> None:
    shop.rehearsal.leave_pulls(0)
    assert shop.look()["pulls"].level is Level.WARNING
    assert "0 of 200" in shop.look()["pulls"].what


def test_the_policy_covers_every_call(shop: HubShop) -> None:
    provider = DockerHubProvider()
    assert isinstance(provider, HasPolicy)
    shop.set(private=False)
    shop.push()
    shop.set()
    shop.push()
    shop.destroy()
    needed = provider.policy(shop.connect())["permissions"]
    assert isinstance(needed, dict)
    covered = {operation.partition(" ")[0] for operations in needed.values() for operation in operations}
    called = {call.action for call in shop.rehearsal.calls()}
    assert called - {"AuthCreateAccessToken"} <= covered
