"""What the doctor says of Docker Hub, and what the policy covers."""

from __future__ import annotations

import pytest

from mldeploy.providers.capabilities import Diagnosable, HasPolicy, Level
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.rehearsal.dockerhub.repositories import USER
from mldeploy.testing.promises import Promise, proves
from tests.dockerhub.harness import ANOTHER, HubHarness

pytestmark = pytest.mark.engine


def test_before_the_first_push_and_after_it(harness: HubHarness) -> None:
    assert isinstance(DockerHubProvider(), Diagnosable)
    results = harness.look()
    assert {each.level for each in results.values()} == {Level.OK}
    assert f"there is no {USER}/{harness.name} yet" in results["repository"].what
    assert results["pulls"].what == "200 of 200 are left, counted over 6 hours"
    harness.push()
    assert harness.look()["repository"].what == f"{USER}/{harness.name} is the app's, and private"
    assert harness.look()["credentials"].what == "rehearsal, in the namespace rehearsal"


def test_a_token_that_may_not_push(harness: HubHarness) -> None:
    harness.credentials = USER, harness.rehearsal.give_token("repo:read")
    results = harness.look()
    assert results["token"].level is Level.ERROR
    assert "allows pull" in results["token"].what
    assert results["repository"].level is Level.ERROR, "404 says nothing to those who may not push"
    harness.credentials = USER, "dckr_pat_wrong"
    assert set(harness.look()) == {"credentials"}


def test_repositories_that_are_not_ours(harness: HubHarness) -> None:
    harness.others.make(harness.name)
    assert "everybody sees it" in harness.look()["repository"].what
    harness.set(private=False)
    assert "uses it and leaves it" in harness.look()["repository"].what
    harness.others.make("theirs", ANOTHER)
    harness.set(repository="theirs")
    assert "another app's" in harness.look()["repository"].what


def test_no_pulls_are_left(harness: HubHarness) -> None:
    harness.rehearsal.leave_pulls(0)
    assert harness.look()["pulls"].level is Level.WARNING
    assert "0 of 200" in harness.look()["pulls"].what


@proves(Promise.POLICY, targets=("dockerhub",))
def test_the_policy_covers_every_call(harness: HubHarness) -> None:
    provider = DockerHubProvider()
    assert isinstance(provider, HasPolicy)
    harness.set(private=False)
    harness.push()
    harness.set()
    harness.push()
    harness.destroy()
    needed = provider.policy(harness.connect())["permissions"]
    assert isinstance(needed, dict)
    covered = {operation.partition(" ")[0] for operations in needed.values() for operation in operations}
    called = {call.action for call in harness.rehearsal.calls()}
    assert called - {"AuthCreateAccessToken"} <= covered
