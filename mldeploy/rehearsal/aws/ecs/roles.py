"""Whether a role lets a task do what it needs. Standard: IAM, policy evaluation; ECS, task execution role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import Role, iam_backends

PRINCIPAL = "ecs-tasks.amazonaws.com"


class RoleError(Exception):
    """ECS cannot take on a role; the text is what it says then."""


def find(arn: str) -> Role | None:
    """The role of this ARN."""
    roles = iam_backends[ACCOUNT]["aws"].roles.values()
    return next((role for role in roles if role.arn == arn), None)


def assume(arn: str, lag: timedelta) -> Role:
    """The role, if ECS may take it on. Raises RoleError, also while the role is so new that not everybody knows it."""
    role = find(arn)
    if role is None or not _trusts(role) or datetime.now(UTC) - _created(role) < lag:
        raise RoleError(
            f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role "
            "being passed has the proper trust relationship and permissions and that your IAM user has permissions "
            "to pass this role."
        )
    return role


def permits(role: Role, action: str, resource: str = "*") -> bool:
    """One of the role's policies allows it, and none denies it."""
    documents = [*role.managed_policies.values(), *role.policies.values()]
    answers = [IAMPolicy(document).is_action_permitted(action, resource) for document in documents]
    return PermissionResult.PERMITTED in answers and PermissionResult.DENIED not in answers


def _trusts(role: Role) -> bool:
    return PRINCIPAL in str(role.assume_role_policy_document)


def _created(role: Role) -> datetime:
    created: datetime = role.create_date
    return created if created.tzinfo else created.replace(tzinfo=UTC)
