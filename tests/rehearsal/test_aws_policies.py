"""The evaluation of policies, by the rules of IAM's user guide."""

from __future__ import annotations

import json

import pytest

from mldeploy.rehearsal.aws.authorization.policy import Permission, is_allowed

ROLE = "arn:aws:iam::123456789012:role/team/app"
ALLOW = {"Effect": "Allow", "Action": "iam:*Role", "Resource": "arn:aws:iam::*:role/team/*"}
NEEDED = Permission("iam:GetRole", ROLE, {"iam:PermissionsBoundary": "arn:limits"})


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([ALLOW], True, id="wildcards"),
        pytest.param([{**ALLOW, "Action": "IAM:getrole"}], True, id="actions in any case"),
        pytest.param([{**ALLOW, "Resource": ROLE.upper()}], False, id="resources as they are written"),
        pytest.param([{**ALLOW, "Resource": ["arn:aws:iam::1:role/x", ROLE]}], True, id="one of several"),
        pytest.param([ALLOW, {**ALLOW, "Effect": "Deny"}], False, id="a denial wins"),
        pytest.param([{"Effect": "Allow", "NotAction": "iam:Put*", "NotResource": "x"}], True, id="all but"),
        pytest.param([{"Effect": "Allow", "NotAction": "iam:Get*", "Resource": "*"}], False, id="not that"),
    ],
)
def test_statements(statements: list[object], allowed: bool) -> None:
    assert is_allowed([json.dumps({"Statement": statements})], NEEDED) is allowed


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"iam:PermissionsBoundary": "arn:limits"}}, True),
        ({"StringEquals": {"iam:PermissionsBoundary": ["arn:other", "arn:limits"]}}, True),
        ({"StringEquals": {"iam:PermissionsBoundary": "arn:*"}}, False),
        ({"ArnLike": {"iam:PermissionsBoundary": "arn:*"}}, True),
        ({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}, False),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, False),
    ],
)
def test_conditions(condition: object, allowed: bool) -> None:
    """Whatever is not evaluated allows nothing, and denies."""
    assert is_allowed([json.dumps({"Statement": {**ALLOW, "Condition": condition}})], NEEDED) is allowed
    denied = {"Statement": [ALLOW, {**ALLOW, "Effect": "Deny", "Condition": {"NumericLessThan": {"x": "1"}}}]}
    assert not is_allowed([json.dumps(denied)], NEEDED)
