"""`mldeploy doctor --target ecr`: the account, its registry, and what is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from mldeploy.config.load import named
from mldeploy.providers.aws.checks import check_account
from mldeploy.providers.aws.permissions import NEEDS
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.providers.capabilities import Diagnosable, Finding, Level
from mldeploy.rehearsal.aws import FaultKind, FaultOrder, Rehearsal
from tests.aws.harness import EcrHarness, session
from tests.cli.command import Command

NAME = "examined"


def findings(rehearsal: Rehearsal) -> dict[str, Finding]:
    return {each.subject: each for each in _look(rehearsal)}


def _look(rehearsal: Rehearsal) -> Iterator[Finding]:
    return check_account("ecr", named(NAME, "--app"), EcrSettings.model_validate({}), rehearsal.endpoints)


def test_it_is_asked_by_the_doctor() -> None:
    assert isinstance(EcrHarness.provider, Diagnosable)


def test_the_account_and_the_registry_are_named(rehearsal: Rehearsal) -> None:
    results = findings(rehearsal)
    assert {each.level for each in results.values()} == {Level.OK}
    assert rehearsal.endpoints.region in results["credentials"].what
    assert "`mldeploy push` makes it" in results["repository"].what


def test_a_repository_of_somebody_else_is_in_the_way(rehearsal: Rehearsal) -> None:
    ecr = session(rehearsal).client("ecr", endpoint_url=rehearsal.endpoints.url)
    ecr.create_repository(repositoryName=NAME)
    try:
        results = findings(rehearsal)["repository"]
    finally:
        ecr.delete_repository(repositoryName=NAME)
    assert results.level is Level.ERROR
    assert f"tag mldeploy:app absent → {NAME}" in results.what


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", "ecr:DescribeRepositories"])
def test_a_missing_permission_is_an_error_that_names_it(rehearsal: Rehearsal, action: str) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, action, times=0))
    results = [each for each in _look(rehearsal) if each.level is Level.ERROR]
    assert len(results) == 1
    assert action in results[0].what
    assert "--profile" in results[0].todo


def test_without_credentials_the_doctor_says_what_to_do(mldeploy: Command) -> None:
    result = mldeploy("doctor", "--target", "ecr", "--json")
    assert result.code == 1
    assert "aws sso login" in result.out


pytestmark = pytest.mark.engine


@pytest.mark.exhaustive
def test_it_allows_every_call_of_a_push_and_of_a_removal(harness: EcrHarness, tmp_path: Path) -> None:
    mldeploy, before = harness.command(tmp_path), len(harness.rehearsal.calls())
    for command in (("login",), ("plan",), ("push", "--no-check"), ("status",), ("push",), ("destroy", "--yes")):
        done = mldeploy(*command, "--target", "ecr")
        assert done.code == 0, done.err
    called = {call.action for call in harness.rehearsal.calls()[before:]}

    statements = cast("list[dict[str, object]]", mldeploy("policy", "--target", "ecr").document["Statement"])
    granted = {action for each in statements for action in cast("list[str]", each["Action"])}
    assert called - {"sts:GetCallerIdentity"} <= granted
    assert called <= set(NEEDS)
    repository = f"arn:aws:ecr:{harness.rehearsal.endpoints.region}:123456789012:repository/{harness.name}"
    unlimited = {action for each in statements if each["Resource"] != repository for action in each["Action"]}  # type: ignore[attr-defined]
    assert unlimited == {"ecr:GetAuthorizationToken", "tag:GetResources"}
