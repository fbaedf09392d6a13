"""A listener's rules and the weights of its target groups, as a canary needs them."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.elbv2.models import FakeAction, FakeListener
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from mldeploy.rehearsal.aws.elb_rules import choose_group, find_actions


def forward(**weights: int) -> FakeAction:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return FakeAction({"Type": "forward", "ForwardConfig": {"TargetGroups": groups}})


def request(path: str = "/", trial: str = "") -> Request:
    return Request(EnvironBuilder(path, headers=Headers([("X-Trial", trial)])).get_environ())


def listener(*rules: tuple[int, dict[str, Any], str]) -> FakeListener:
    """Only what the rules are read from: moto's own class is one of CloudFormation's, too."""
    entries = {
        number: SimpleNamespace(is_default=False, priority=priority, conditions=[condition], actions=[send_to(group)])
        for number, (priority, condition, group) in enumerate(rules)
    }
    return cast("FakeListener", SimpleNamespace(rules=entries, default_actions=[send_to("main")]))


def send_to(group: str) -> FakeAction:
    return FakeAction({"Type": "forward", "TargetGroupArn": group})


HEADER = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Trial", "Values": ["Secret*"]}}
PATH = {"Field": "path-pattern", "Values": ["/api/*"]}


@pytest.mark.parametrize(
    ("sent", "group"),
    [
        (request(), "main"),
        (request(trial="other"), "main"),
        (request(trial="secret-1"), "trial"),
        (request("/api/predict"), "api"),
        (request("/API/predict"), "main"),
        (request("/api/predict", trial="secret-1"), "trial"),
    ],
)
def test_the_first_rule_by_priority_whose_condition_is_met_decides(sent: Request, group: str) -> None:
    rules = listener((20, PATH, "api"), (3, HEADER, "trial"))
    assert choose_group(find_actions(rules, sent)) == group


def test_target_groups_get_their_share_by_weight() -> None:
    seen = Counter(choose_group([forward(main=90, canary=10, off=0)]) for _ in range(2000))
    assert set(seen) == {"main", "canary"}
    assert 100 < seen["canary"] < 320
    assert choose_group([forward(main=0)]) == ""
