"""The documents of `mldeploy policy --target fargate`: policies to attach, and what an administrator creates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.iam import POLICY, ExecutionRole, policy_document, role_name, trust_policy
from mldeploy.providers.aws.fargate.permissions import (
    AUTOSCALING_CALLS,
    DOMAIN_CALLS,
    LOAD_BALANCER_CALLS,
    SECRET_CALLS,
    SERVICE_CALLS,
    render_calls,
    role_calls,
)
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.task_roles import Purpose, TaskRoles
from mldeploy.providers.aws.permissions import Needs, attach_commands, policy_arn, policy_name
from mldeploy.providers.capabilities import PolicyKind, PolicyPart, PolicySet

BALANCED, SCALED, STORED, BOUNDED, GIVEN, PREVIEWS = FEATURES = (
    "load-balancer",
    "autoscaling",
    "secrets",
    "boundary",
    "given-roles",
    "previews",
)
UNBOUNDED = (
    "Whoever has this policy can give the app's roles any permission. To limit it, use --with boundary or "
    "--with given-roles: docs/security.md."
)


def build_policy_set(cloud: FargateCloud, settings: FargateSettings, features: Collection[str]) -> PolicySet:
    """What the settings need, as if they had the features, too. Each policy fits into a managed policy of IAM."""
    domain = settings.domain if settings.requests_certificate else ""
    cloud = replace(cloud, roles=_with_features(cloud, settings.roles, features), domain=domain)
    tables = _tables(cloud, settings, features)
    policies = tuple(
        PolicyPart(policy_name(cloud, *suffix), PolicyKind.POLICY, purpose, render_calls(cloud, *calls))
        for suffix, purpose, calls in tables
    )
    roles = tuple(_role_parts(cloud, settings, stored=STORED in features))
    whole = render_calls(cloud, *(table for _, _, calls in tables for table in calls))
    bounded = bool(cloud.roles.boundary) or not cloud.roles.created
    commands = (*_role_commands(cloud, roles), *attach_commands(cloud, policies))
    return PolicySet((*roles, *policies), whole, commands, () if bounded else (UNBOUNDED,))


def _with_features(cloud: FargateCloud, roles: TaskRoles, features: Collection[str]) -> TaskRoles:
    """The role settings, with the names of mldeploy's own where a feature needs some and the settings have none."""
    if BOUNDED in features:
        roles = replace(roles, boundary=roles.boundary or policy_arn(cloud, policy_name(cloud, "boundary")))
    if GIVEN in features:
        execution, task = (roles.given(each) or _role_arn(cloud, each, roles.path) for each in Purpose)
        roles = replace(roles, execution=execution, task=task)
    return roles


def _role_arn(cloud: FargateCloud, purpose: Purpose, path: str) -> str:
    account = cloud.account
    return f"arn:{account.partition}:iam::{account.id}:role{path}{role_name(cloud, Key(purpose, (cloud.app,)))}"


def _tables(
    cloud: FargateCloud, settings: FargateSettings, features: Collection[str]
) -> tuple[tuple[tuple[str, ...], str, tuple[Needs, ...]], ...]:
    """For each policy: what its name ends with, what it is for, and the calls that it allows."""
    tables: list[tuple[tuple[str, ...], str, tuple[Needs, ...]]] = [
        ((), "deploy the app", (SERVICE_CALLS, role_calls(cloud.roles)))
    ]
    if settings.is_balanced or BALANCED in features:
        tables.append(((BALANCED,), "put a load balancer before it", (LOAD_BALANCER_CALLS,)))
    if settings.requests_certificate:
        tables.append(
            (("domain",), f"get the certificate of {settings.domain} and create its records", (DOMAIN_CALLS,))
        )
    if settings.scaling or SCALED in features:
        tables.append(((SCALED,), "scale it automatically", (AUTOSCALING_CALLS,)))
    if STORED in features:
        tables.append(((STORED,), "keep its secrets and access keys", (SECRET_CALLS,)))
    return tuple(tables)


def _role_parts(cloud: FargateCloud, settings: FargateSettings, *, stored: bool) -> Iterator[PolicyPart]:
    """What the administrator creates: the roles that are given, and the boundary of those that are not."""
    role = ExecutionRole.of(cloud.app, cloud.repository, settings)
    document = policy_document(role.build_statements(cloud, stored=stored))
    for purpose in Purpose:
        if name := _given_name(cloud, purpose):
            trust = trust_policy(cloud.account.id)
            yield PolicyPart(f"{name}-trust", PolicyKind.TRUST, f"who may take the {purpose} role", trust)
    if name := _given_name(cloud, Purpose.EXECUTION):
        what = "what the execution role may do"
        yield PolicyPart(f"{name}-permissions", PolicyKind.PERMISSIONS, what, document)
    if cloud.roles.boundary and cloud.roles.created:
        what = "the most that the app's roles may do; extend it with what the app itself needs"
        yield PolicyPart(cloud.roles.boundary.rpartition("/")[2], PolicyKind.BOUNDARY, what, document)


def _given_name(cloud: FargateCloud, purpose: Purpose) -> str:
    return cloud.roles.given(purpose).rpartition("/")[2]


def _role_commands(cloud: FargateCloud, parts: Collection[PolicyPart]) -> Iterator[str]:
    for purpose in Purpose:
        if arn := cloud.roles.given(purpose):
            yield from _create_role(arn, {part.name for part in parts})
            yield f'# {TABLE}: {purpose}_role = "{arn}"'
    for part in parts:
        if part.kind is PolicyKind.BOUNDARY:
            yield f"aws iam create-policy --policy-name {part.name} --policy-document file://{part.name}.json"
            yield f'# {TABLE}: permissions_boundary = "{cloud.roles.boundary}"'


def _create_role(arn: str, documents: Collection[str]) -> Iterator[str]:
    path, _, name = arn.partition(":role")[2].rpartition("/")
    trust = f"--assume-role-policy-document file://{name}-trust.json"
    yield f"aws iam create-role --role-name {name} --path {path}/ {trust}"
    if f"{name}-permissions" in documents:
        permissions = f"--policy-document file://{name}-permissions.json"
        yield f"aws iam put-role-policy --role-name {name} --policy-name {POLICY} {permissions}"
