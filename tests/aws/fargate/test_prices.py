"""What a month costs: only what a source says, and the rest is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from urllib.parse import urlsplit

import pytest

from mldeploy.config import load
from mldeploy.providers.aws.fargate.prices import PRICES, estimate_cost
from mldeploy.providers.aws.fargate.settings import FargateSettings

NAMED = load.named("paper", "a test")
PROJECT = replace(NAMED, build=replace(NAMED.build, platform="linux/amd64"))


def settings(**values: object) -> FargateSettings:
    return FargateSettings.model_validate(values)


def test_two_small_tasks() -> None:
    estimate = estimate_cost("us-east-1", PROJECT, settings(cpu=256, memory=1024, instances=2))
    known = {item.what: item.monthly for item in estimate.items if item.monthly is not None}
    assert known == {"CPU of the tasks": 14.78, "memory of the tasks": 6.49, "addresses of the tasks": 7.3}
    assert estimate.known == pytest.approx(28.57)


def test_what_no_source_says_is_unknown() -> None:
    estimate = estimate_cost("eu-west-1", PROJECT, settings(ingress="load-balancer"))
    unknown = [item for item in estimate.items if item.monthly is None]
    assert {"CPU of the tasks", "memory of the tasks", "load balancer", "log"} <= {item.what for item in unknown}
    assert not any(item.source for item in unknown)
    assert all(item.how for item in unknown)


def test_every_price_says_where_the_vendor_states_it_and_when() -> None:
    for price in PRICES.values():
        assert urlsplit(price.source).hostname in ("pricing.us-east-1.amazonaws.com", "aws.amazon.com")
        assert date.fromisoformat(price.date) <= date.today()  # noqa: DTZ011 - a day more or less says nothing
