"""What each API call needs: the minimal IAM grants. This table covers the calls of every target on AWS.

https://docs.aws.amazon.com/service-authorization/latest/reference/ names the actions, and the resources that each can
be limited to; what it lists none for stands with `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from mldeploy.providers.aws.account import AwsCloud
from mldeploy.providers.aws.names import shortened
from mldeploy.providers.capabilities import PolicyPart

Condition: TypeAlias = tuple[str, ...]
"""Operator, key, and values, of which one is enough."""


@dataclass(frozen=True)
class Grant:
    """Allows some actions. resources: ARNs with {placeholders}. condition: operator, key, value or values, likewise."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Condition | None = None


Needs: TypeAlias = Mapping[str, tuple[Grant, ...]]
"""API call → what it needs."""


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the account and the region, with placeholders."""
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


def call_grants(action: str, resources: tuple[str, ...], *others: Grant) -> tuple[Grant, ...]:
    """A call that needs the permission of its own name, and others besides."""
    return (Grant((action,), resources), *others)


def simple_grants(
    resources: tuple[str, ...], *actions: str, condition: Condition | None = None
) -> Iterable[tuple[str, tuple[Grant, ...]]]:
    """Calls that need the permission of their own name alone."""
    return ((action, (Grant((action,), resources, condition),)) for action in actions)


REPOSITORY = (arn("ecr", "repository/{repository}"),)
PUSH = Grant(
    (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ),
    REPOSITORY,
)
"""What the registry itself asks for during a push, which is no call of the API."""

NEEDS: Needs = MappingProxyType(
    {
        "sts:GetCallerIdentity": (),
        "tag:GetResources": (Grant(("tag:GetResources",)),),
        "ecr:GetAuthorizationToken": (Grant(("ecr:GetAuthorizationToken",)), PUSH),
        "ecr:CreateRepository": call_grants(
            "ecr:CreateRepository", REPOSITORY, Grant(("ecr:TagResource",), REPOSITORY)
        ),
        **dict(
            simple_grants(
                REPOSITORY,
                "ecr:DeleteRepository",
                "ecr:DescribeRepositories",
                "ecr:GetLifecyclePolicy",
                "ecr:ListTagsForResource",
                "ecr:PutImageTagMutability",
                "ecr:PutLifecyclePolicy",
            )
        ),
    }
)
"""For all calls of the target `ecr`. A test holds it against the calls themselves."""


def build_policy(cloud: AwsCloud) -> dict[str, object]:
    """The least-privilege policy for everything that mldeploy does to this app's images."""
    return render_policy((NEEDS,), list_placeholders(cloud))


def list_placeholders(cloud: AwsCloud) -> dict[str, str]:
    """What stands for the placeholders."""
    account = cloud.account
    return {
        "partition": account.partition,
        "region": account.region,
        "account": account.id,
        "repository": cloud.repository,
    }


POLICY_NAME_LENGTH = 128


def policy_name(cloud: AwsCloud, *purpose: str) -> str:
    """The name under which an administrator creates a policy. Policies are the account's, so the region is in it."""
    return shortened("-".join(("mldeploy", cloud.app, cloud.account.region, *purpose)), POLICY_NAME_LENGTH)


def policy_arn(cloud: AwsCloud, name: str) -> str:
    return f"arn:{cloud.account.partition}:iam::{cloud.account.id}:policy/{name}"


def attach_commands(cloud: AwsCloud, policies: Iterable[PolicyPart]) -> tuple[str, ...]:
    """How an administrator attaches managed policies. An inline policy of a user holds 2,048 characters only."""
    return tuple(_attach_commands(cloud, policies))


def _attach_commands(cloud: AwsCloud, policies: Iterable[PolicyPart]) -> Iterator[str]:
    yield "# Attach as managed policies, to a user as here, or to a role: attach-role-policy --role-name ROLE"
    for each in policies:
        yield f"aws iam create-policy --policy-name {each.name} --policy-document file://{each.name}.json"
        yield f"aws iam attach-user-policy --user-name USER --policy-arn {policy_arn(cloud, each.name)}"


def render_policy(tables: Iterable[Needs], placeholders: Mapping[str, str]) -> dict[str, object]:
    """An IAM policy (policy grammar, version 2012-10-17) that allows what all these calls need, and nothing else."""
    statements: dict[tuple[tuple[str, ...], Condition | None], set[str]] = {}
    for grant in (grant for calls in tables for grants in calls.values() for grant in grants):
        statements.setdefault((grant.resources, grant.condition), set()).update(grant.actions)
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(actions, resources, condition, placeholders)
            for (resources, condition), actions in statements.items()
        ],
    }


def _statement(
    actions: set[str],
    resources: tuple[str, ...],
    condition: Condition | None,
    placeholders: Mapping[str, str],
) -> dict[str, object]:
    filled = [each.format_map(placeholders) for each in resources]
    made: dict[str, object] = {
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": filled[0] if len(filled) == 1 else filled,
    }
    if condition:
        operator, key, *values = condition
        filled = [each.format_map(placeholders) for each in values]
        made["Condition"] = {operator: {key: filled[0] if len(filled) == 1 else filled}}
    return made
