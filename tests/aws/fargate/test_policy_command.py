"""`mldeploy policy` as an administrator gets it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.rehearsal.aws import Rehearsal
from tests.cli.command import Command

pytestmark = pytest.mark.engine


@pytest.fixture
def policy(mldeploy: Command, quick: Rehearsal) -> Command:
    keys = {name.upper(): value.reveal() for name, value in quick.endpoints.credentials}
    docker = {"DOCKER_HOST": os.environ.get("DOCKER_HOST", "")}
    return mldeploy.with_env(AWS_ENDPOINT_URL=quick.endpoints.url, AWS_REGION="us-east-1", **keys, **docker)


def test_one_document_can_be_saved_as_it_is_printed(policy: Command) -> None:
    result = policy("policy", "--target", "fargate")
    assert json.loads(result.out)["Version"] == "2012-10-17"
    assert "Attach as managed policies" in result.err
    assert "aws iam create-policy --policy-name mldeploy-nobody-us-east-1 " in result.err
    assert "can give the app's roles any permission" in result.err


def _actions(*documents: Any) -> set[str]:
    return {action for each in documents for statement in each["Statement"] for action in statement["Action"]}


def test_several_documents_have_names(policy: Command) -> None:
    command = ("policy", "--target", "fargate", "--with", "load-balancer", "--with", "given-roles")
    document = policy(*command, "--json").document
    documents = document["documents"]
    assert isinstance(documents, list)
    assert {each["kind"] for each in documents} == {"policy", "trust", "permissions"}
    assert isinstance(document["policy"], dict)
    assert document["warnings"] == []
    name = documents[-1]["name"]
    assert name == "mldeploy-nobody-us-east-1-load-balancer"
    assert json.loads(policy(*command, "--part", name).out) == documents[-1]["document"]
    whole = json.loads(policy(*command, "--part", "all").out)
    assert len("".join(json.dumps(whole).split())) <= 10240, "the policies of a role are longer than IAM allows"
    parts = [each["document"] for each in documents if each["kind"] == "policy"]
    assert _actions(whole) == _actions(*parts)


@pytest.mark.parametrize("flags", [("--with", "wings"), ("--part", "nothing")])
def test_an_unknown_name_is_answered_with_the_known_ones(policy: Command, flags: tuple[str, str]) -> None:
    result = policy("policy", "--target", "fargate", *flags)
    assert result.code == ExitCode.USAGE
    assert ("given-roles" if "wings" in flags else "mldeploy-nobody-us-east-1") in result.err
