"""What goes wrong with Docker Hub, in words, with an exit code, and never taken for something that is not there."""

from __future__ import annotations

import time

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.dockerhub.errors import HubCredentialsError, HubDeniedError, HubError
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.rehearsal.dockerhub import FaultKind, FaultOrder
from mldeploy.rehearsal.dockerhub.repositories import STRANGER, USER
from tests.cli.command import Command
from tests.dockerhub.harness import HubHarness

pytestmark = pytest.mark.engine


def failure(harness: HubHarness) -> MldeployError:
    """Why a push fails."""
    with pytest.raises(DeploymentFailedError) as caught:
        harness.push()
    error = caught.value.failures[0][1]
    assert isinstance(error, MldeployError)
    return error


def test_a_wrong_token_is_no_secret_and_no_mystery(harness: HubHarness) -> None:
    harness.credentials = USER, "dckr_pat_wrong"
    with pytest.raises(HubCredentialsError) as caught:
        harness.push()
    assert "does not accept the credentials of rehearsal" in caught.value.what
    assert "Incorrect authentication credentials" in caught.value.what
    assert "DOCKERHUB_TOKEN" in caught.value.todo
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "dckr_pat_wrong" not in repr(caught.value)


@pytest.mark.parametrize("scope", ["repo:public_read", "repo:read"])
def test_what_a_token_may_not_see_is_not_absent(harness: HubHarness, scope: str) -> None:
    """Docker Hub says 404 in either case."""
    harness.credentials = USER, harness.rehearsal.give_token(scope)
    with pytest.raises(HubDeniedError) as caught:
        harness.changes()
    assert "is not there, or must not be seen" in caught.value.what
    assert "Write" in caught.value.todo


def test_a_token_that_may_only_read_sends_nothing(harness: HubHarness) -> None:
    harness.others.make(harness.name, private=True)
    harness.credentials = USER, harness.rehearsal.give_token("repo:read")
    error = failure(harness)
    assert isinstance(error, HubDeniedError)
    assert "the registry allows pull there" in error.what
    assert harness.sent() == 0


def test_a_token_that_may_not_make_a_repository_is_told_the_ways_out(harness: HubHarness) -> None:
    harness.credentials = USER, harness.rehearsal.give_token("repo:write")
    error = failure(harness)
    assert isinstance(error, HubDeniedError)
    assert "not allowed CreateRepository: access denied: insufficient scope" in error.what
    assert "made by hand" in error.todo
    harness.others.make(harness.name, private=True)
    assert harness.push().out.digest


def test_a_repository_of_somebody_else(harness: HubHarness) -> None:
    harness.set(namespace=STRANGER, repository="public", private=False)
    error = failure(harness)
    assert isinstance(error, HubDeniedError)
    assert "stranger/public" in error.where
    harness.set(namespace=STRANGER)
    assert isinstance(failure(harness), HubDeniedError)


def test_a_token_without_delete_destroys_nothing_and_says_so(harness: HubHarness) -> None:
    harness.push()
    harness.credentials = USER, harness.rehearsal.give_token("repo:write")
    with pytest.raises(MldeployError, match="DeleteRepository: access denied: insufficient scope"):
        harness.destroy()
    assert harness.others.repository(harness.name)


def test_no_room_for_a_private_one_is_said_with_the_ways_out(harness: HubHarness) -> None:
    harness.rehearsal.limit_private(0)
    error = failure(harness)
    assert isinstance(error, HubError)
    assert "No more private repositories available" in error.what
    assert "private = false" in error.todo
    assert error.exit_code is ExitCode.REMOTE
    harness.set(private=False)
    harness.push()
    harness.set()
    assert "no room for another private repository" in failure(harness).what


def test_a_bearer_that_has_expired_is_renewed(harness: HubHarness) -> None:
    cloud = harness.connect()
    for _ in range(2):
        harness.rehearsal.expire_tokens()
        assert DockerHubProvider().inventory(cloud, harness.project) == []
    proved = [call.action for call in harness.rehearsal.calls()].count("AuthCreateAccessToken")
    assert proved == 3


def test_who_asks_too_often_waits_as_long_as_he_is_told(harness: HubHarness) -> None:
    harness.rehearsal.set_retry_after(2.0)
    harness.rehearsal.faults.inject(FaultOrder(FaultKind.THROTTLE, "GetRepository"))
    begun = time.monotonic()
    assert harness.changes()
    assert time.monotonic() - begun > 0.9, "the time of day has whole seconds"


def test_a_long_wait_is_not_waited_for_but_told(harness: HubHarness) -> None:
    harness.rehearsal.set_retry_after(6000.0)
    harness.rehearsal.faults.inject(FaultOrder(FaultKind.THROTTLE, "GetRepository", times=0))
    begun = time.monotonic()
    with pytest.raises(HubError, match=r"throttles the requests \(GetRepository\); retry after \d+ s"):
        harness.changes()
    assert time.monotonic() - begun < 3000


def test_a_failure_that_stays_is_said_to_pass(harness: HubHarness) -> None:
    harness.rehearsal.faults.inject(FaultOrder(FaultKind.ERROR, "CreateRepository", times=0))
    error = failure(harness)
    assert isinstance(error, HubError)
    assert "CreateRepository: internal server error (500)" in error.what
    assert "resumes" in error.todo


def test_a_repository_that_comes_between_is_not_taken_over(harness: HubHarness) -> None:
    """Somebody makes it in the moment in which we do: it is looked at before it is used."""
    cloud = harness.connect()
    harness.others.make(harness.name, private=True)
    with pytest.raises(MldeployError, match="has just been created by somebody else"):
        harness.step.repository.apply(cloud, harness.nothing, None, harness.monitor)


@pytest.mark.parametrize(("key", "value"), [("repository", "a__b"), ("repository", "x"), ("namespace", "A/b")])
def test_a_name_that_cannot_be_is_refused_before_anything_is_called(mldeploy: Command, key: str, value: str) -> None:
    toml = mldeploy.folder / "mldeploy.toml"
    toml.write_text(f'{toml.read_text()}\n[target.dockerhub]\n{key} = "{value}"\n')
    result = mldeploy("plan", "--target", "dockerhub", "--json")
    assert result.code == ExitCode.CONFIG
    assert f"target.dockerhub.{key}" in str(result.error["where"])


def test_an_address_of_a_mailbox_says_no_namespace(harness: HubHarness) -> None:
    harness.credentials = "somebody@example.com", "dckr_pat_any"
    with pytest.raises(ConfigError, match="is no name of a user"):
        harness.connect()
