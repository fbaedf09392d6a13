"""`mldeploy doctor --target ecr`: the account, its registry, and what is in the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.config.load import named
from mldeploy.providers.aws.checks import look
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.providers.checks import Diagnosable, Finding, Level
from mldeploy.rehearsal.aws import Fault, Kind, Rehearsal
from tests.aws.shop import Shop
from tests.aws.stage import session
from tests.cli.command import Command

NAME = "examined"


def findings(rehearsal: Rehearsal) -> dict[str, Finding]:
    return {each.subject: each for each in _look(rehearsal)}


def _look(rehearsal: Rehearsal) -> Iterator[Finding]:
    return look("ecr", named(NAME, "--app"), EcrSettings.model_validate({}), rehearsal.endpoints)


def test_it_is_asked_by_the_doctor() -> None:
    assert isinstance(Shop.provider, Diagnosable)


def test_the_account_and_the_registry_are_named(rehearsal: Rehearsal) -> None:
    found = findings(rehearsal)
    assert {each.level for each in found.values()} == {Level.OK}
    assert rehearsal.endpoints.region in found["credentials"].what
    assert "`mldeploy push` makes it" in found["repository"].what


def test_a_repository_of_somebody_else_is_in_the_way(rehearsal: Rehearsal) -> None:
    ecr = session(rehearsal).client("ecr", endpoint_url=rehearsal.endpoints.url)
    ecr.create_repository(repositoryName=NAME)
    try:
        found = findings(rehearsal)["repository"]
    finally:
        ecr.delete_repository(repositoryName=NAME)
    assert found.level is Level.ERROR
    assert f"tag mldeploy:app absent → {NAME}" in found.what


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", "ecr:DescribeRepositories"])
def test_a_missing_permission_is_an_error_that_names_it(rehearsal: Rehearsal, action: str) -> None:
    rehearsal.faults.order(Fault(Kind.DENIED, action, times=0))
    found = [each for each in _look(rehearsal) if each.level is Level.ERROR]
    assert len(found) == 1
    assert action in found[0].what
    assert "--profile" in found[0].todo


def test_without_credentials_the_doctor_says_what_to_do(mldeploy: Command) -> None:
    result = mldeploy("doctor", "--target", "ecr", "--json")
    assert result.code == 1
    assert "aws sso login" in result.out
