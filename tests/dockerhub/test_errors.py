"""What goes wrong with Docker Hub, in words, with an exit code, and never taken for something that is not there."""

from __future__ import annotations

import time

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.dockerhub.errors import CredentialsError, DeniedError, HubError
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.rehearsal.dockerhub import Fault, Kind
from mldeploy.rehearsal.dockerhub.accounts import STRANGER, USER
from tests.cli.command import Command
from tests.dockerhub.shop import HubShop

pytestmark = pytest.mark.engine


def failure(shop: HubShop) -> MldeployError:
    """Why a push fails."""
    with pytest.raises(DeploymentFailedError) as caught:
        shop.push()
    error = caught.value.failures[0][1]
    assert isinstance(error, MldeployError)
    return error


def test_a_wrong_token_is_no_secret_and_no_mystery(shop: HubShop) -> None:
    shop.credentials = USER, "dckr_pat_wrong"
    with pytest.raises(CredentialsError) as caught:
        shop.push()
    assert "does not accept the credentials of rehearsal" in caught.value.what
    assert "Incorrect authentication credentials" in caught.value.what
    assert "DOCKERHUB_TOKEN" in caught.value.todo
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "dckr_pat_wrong" not in repr(caught.value)


@pytest.mark.parametrize("scope", ["repo:public_read", "repo:read"])
def test_what_a_token_may_not_see_is_not_absent(shop: HubShop, scope: str) -> None:
    """Docker Hub says 404 in either case."""
    shop.credentials = USER, shop.rehearsal.give_token(scope)
    with pytest.raises(DeniedError) as caught:
        shop.changes()
    assert "is not there, or must not be seen" in caught.value.what
    assert "Write" in caught.value.todo


def test_a_token_that_may_only_read_sends_nothing(shop: HubShop) -> None:
    shop.others.make(shop.name, private=True)
    shop.credentials = USER, shop.rehearsal.give_token("repo:read")
    error = failure(shop)
    assert isinstance(error, DeniedError)
    assert "the registry allows pull there" in error.what
    assert shop.sent() == 0


def test_a_token_that_may_not_make_a_repository_is_told_the_ways_out(shop: HubShop) -> None:
    shop.credentials = USER, shop.rehearsal.give_token("repo:write")
    error = failure(shop)
    assert isinstance(error, DeniedError)
    assert "not allowed CreateRepository: access denied: insufficient scope" in error.what
    assert "made by hand" in error.todo
    shop.others.make(shop.name, private=True)
    assert shop.push().out.digest


def test_a_repository_of_somebody_else(shop: HubShop) -> None:
    shop.set(namespace=STRANGER, repository="public", private=False)
    error = failure(shop)
    assert isinstance(error, DeniedError)
    assert "stranger/public" in error.where
    shop.set(namespace=STRANGER)
    assert isinstance(failure(shop), DeniedError)


def test_a_token_without_delete_destroys_nothing_and_says_so(shop: HubShop) -> None:
    shop.push()
    shop.credentials = USER, shop.rehearsal.give_token("repo:write")
    with pytest.raises(MldeployError, match="DeleteRepository: access denied: insufficient scope"):
        shop.destroy()
    assert shop.others.repository(shop.name)


def test_no_room_for_a_private_one_is_said_with_the_ways_out(shop: HubShop) -> None:
    shop.rehearsal.limit_private(0)
    error = failure(shop)
    assert isinstance(error, HubError)
    assert "No more private repositories available" in error.what
    assert "private = false" in error.todo
    assert error.exit_code is ExitCode.REMOTE
    shop.set(private=False)
    shop.push()
    shop.set()
    assert "no room for another private repository" in failure(shop).what


def test_a_bearer_that_has_expired_is_renewed(shop: HubShop) -> None:
    cloud = shop.connect()
    for _ in range(2):
        shop.rehearsal.expire_tokens()
        assert DockerHubProvider().inventory(cloud, shop.project) == []
    proved = [call.action for call in shop.rehearsal.calls()].count("AuthCreateAccessToken")
    assert proved == 3


def test_who_asks_too_often_waits_as_long_as_he_is_told(shop: HubShop) -> None:
    shop.rehearsal.ask_to_wait(2.0)
    shop.rehearsal.faults.order(Fault(Kind.THROTTLE, "GetRepository"))
    begun = time.monotonic()
    assert shop.changes()
    assert time.monotonic() - begun > 0.9, "the time of day is told in whole seconds"


def test_a_long_wait_is_not_waited_for_but_told(shop: HubShop) -> None:
    shop.rehearsal.ask_to_wait(600.0)
    shop.rehearsal.faults.order(Fault(Kind.THROTTLE, "GetRepository", times=0))
    begun = time.monotonic()
    with pytest.raises(HubError, match=r"asked too often \(GetRepository\), and wants to be left alone for \d+ s"):
        shop.changes()
    assert time.monotonic() - begun < 20


def test_a_failure_that_stays_is_said_to_pass(shop: HubShop) -> None:
    shop.rehearsal.faults.order(Fault(Kind.ERROR, "CreateRepository", times=0))
    error = failure(shop)
    assert isinstance(error, HubError)
    assert "CreateRepository: internal server error (500)" in error.what
    assert "resumes" in error.todo


def test_a_repository_that_comes_between_is_not_taken_over(shop: HubShop) -> None:
    """Somebody makes it in the moment in which we do: it is looked at before it is used."""
    cloud = shop.connect()
    shop.others.make(shop.name, private=True)
    with pytest.raises(MldeployError, match="has just been made by somebody else"):
        shop.step.repository.apply(cloud, shop.nothing, None, shop.monitor)


@pytest.mark.parametrize(("key", "value"), [("repository", "a__b"), ("repository", "x"), ("namespace", "A/b")])
def test_a_name_that_cannot_be_is_refused_before_anything_is_called(mldeploy: Command, key: str, value: str) -> None:
    toml = mldeploy.folder / "mldeploy.toml"
    toml.write_text(f'{toml.read_text()}\n[target.dockerhub]\n{key} = "{value}"\n')
    result = mldeploy("plan", "--target", "dockerhub", "--json")
    assert result.code == ExitCode.CONFIG
    assert f"target.dockerhub.{key}" in str(result.error["where"])


def test_an_address_of_a_mailbox_says_no_namespace(shop: HubShop) -> None:
    shop.credentials = "somebody@example.com", "dckr_pat_any"
    with pytest.raises(ConfigError, match="is no name of a user"):
        shop.connect()
