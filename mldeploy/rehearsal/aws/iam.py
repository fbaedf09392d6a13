"""IAM roles and policies, with a cache of AWS's managed policies, whose creation takes half a second."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.iam import urls
from moto.iam.exceptions import LimitExceededException
from moto.iam.models import IAMBackend, ManagedPolicy, Role, iam_backends

from mldeploy.rehearsal.aws.authorization.policy import Permission, is_allowed
from mldeploy.rehearsal.aws.authorization.principals import boundary_documents, policy_documents

POLICY_SIZE = 6144
"""Characters of a managed policy without white space. Standard: IAM, "IAM and STS character limits"."""


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

    def create_policy(
        self, description: str, path: str, policy_document: str, policy_name: str, tags: list[dict[str, str]]
    ) -> ManagedPolicy:
        if len("".join(policy_document.split())) > POLICY_SIZE:
            raise LimitExceededException(f"Cannot exceed quota for PolicySize: {POLICY_SIZE}")
        return super().create_policy(description, path, policy_document, policy_name, tags)


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
    """Whether a policy of the role allows an action, none denies it, and its boundary allows it, too."""
    needed = Permission(action, resource)
    boundary = role.permissions_boundary_arn
    return is_allowed(policy_documents(role), needed) and (
        not boundary or is_allowed(boundary_documents(boundary), needed)
    )


def _trusts(role: Role) -> bool:
    return PRINCIPAL in str(role.assume_role_policy_document)


def _created(role: Role) -> datetime:
    created: datetime = role.create_date
    return created if created.tzinfo else created.replace(tzinfo=UTC)
