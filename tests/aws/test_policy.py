"""`mldeploy policy --target ecr`: what it allows is what is called, and nothing else is called."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from mldeploy.providers.aws.permissions import NEEDS
from tests.aws.shop import Shop

pytestmark = pytest.mark.engine


def test_it_allows_every_call_of_a_push_and_of_a_removal(shop: Shop, tmp_path: Path) -> None:
    mldeploy, before = shop.command(tmp_path), len(shop.rehearsal.calls())
    for command in (("login",), ("plan",), ("push",), ("status",), ("push",), ("destroy", "--yes")):
        done = mldeploy(*command, "--target", "ecr")
        assert done.code == 0, done.err
    called = {call.action for call in shop.rehearsal.calls()[before:]}

    statements = cast("list[dict[str, object]]", mldeploy("policy", "--target", "ecr").document["Statement"])
    granted = {action for each in statements for action in cast("list[str]", each["Action"])}
    assert called - {"sts:GetCallerIdentity"} <= granted
    assert called <= set(NEEDS)
    repository = f"arn:aws:ecr:{shop.rehearsal.endpoints.region}:123456789012:repository/{shop.name}"
    unlimited = {action for each in statements if each["Resource"] != repository for action in each["Action"]}  # type: ignore[attr-defined]
    assert unlimited == {"ecr:GetAuthorizationToken", "tag:GetResources"}
