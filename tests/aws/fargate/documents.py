"""Policies of accounts that nobody signs in to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from botocore.session import Session

from mldeploy.config.kinds import NAME_LENGTH
from mldeploy.providers.aws.account import AwsAccount
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.policies import build_policy_set
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.capabilities import PolicyPart

LONGEST = "a" * NAME_LENGTH
NO_CLIENT = cast("Any", None)
"""A policy is made without a call."""


def cloud_in(partition: str, region: str, app: str = LONGEST) -> FargateCloud:
    user = f"arn:{partition}:iam::123456789012:user/somebody"
    account = AwsAccount("123456789012", user, region, NO_CLIENT, NO_CLIENT)
    return FargateCloud(NO_CLIENT, account, app, app, *(NO_CLIENT,) * 11)


def documents(cloud: FargateCloud, *features: str, **settings: object) -> tuple[PolicyPart, ...]:
    return build_policy_set(cloud, FargateSettings.model_validate(settings), features).parts


def regions() -> Iterator[tuple[str, str]]:
    """Every partition and region of the SDK's endpoint data."""
    session = Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("ecs", partition, allow_non_regional=False):
            yield partition, region
