"""IAM roles and policies, with a cache of AWS's managed policies, whose creation takes half a second."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.iam import urls
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import IAMBackend, ManagedPolicy, Role, iam_backends


class RehearsedIAM(IAMBackend):
    """moto's backend. All accounts share AWS's managed policies, which are immutable."""

    _managed_policies: ClassVar[Sequence[ManagedPolicy]] = ()

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def _init_aws_policies(self) -> list[ManagedPolicy]:
        if not RehearsedIAM._managed_policies:
            RehearsedIAM._managed_policies = super()._init_aws_policies()
        return [copy(policy) for policy in RehearsedIAM._managed_policies]  # each copy counts its attachments


def install() -> None:
    """Install this backend in moto, for this process."""
    iam_backends.backend = RehearsedIAM


PRINCIPAL = "ecs-tasks.amazonaws.com"


class RoleError(Exception):
    """ECS cannot assume a role. The message is ECS's."""


def find_role(arn: str) -> Role | None:
    """Find a role by ARN."""
    roles = iam_backends[ACCOUNT]["aws"].roles.values()
    return next((role for role in roles if role.arn == arn), None)


def assume_role(arn: str, lag: timedelta) -> Role:
    """Assume a role for ECS. Raises RoleError, also while a new role is not propagated (`lag`)."""
    role = find_role(arn)
    if role is None or not _trusts(role) or datetime.now(UTC) - _created(role) < lag:
        raise RoleError(
            f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role "
            "being passed has the proper trust relationship and permissions and that your IAM user has permissions "
            "to pass this role."
        )
    return role


def is_permitted(role: Role, action: str, resource: str = "*") -> bool:
    """Whether a policy of the role allows an action and none denies it."""
    documents = [*role.managed_policies.values(), *role.policies.values()]
    results = [IAMPolicy(document).is_action_permitted(action, resource) for document in documents]
    return PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results


def _trusts(role: Role) -> bool:
    return PRINCIPAL in str(role.assume_role_policy_document)


def _created(role: Role) -> datetime:
    created: datetime = role.create_date
    return created if created.tzinfo else created.replace(tzinfo=UTC)
