"""Who calls: the owner of the stand-in, who may do everything, or a user of its IAM, who may do what policies allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.iam.models import Policy, Role, User, iam_backends

from mldeploy.rehearsal.aws.adapter import AwsRequest, Decision
from mldeploy.rehearsal.aws.authorization.operations import AuthorizedCall, list_permissions
from mldeploy.rehearsal.aws.authorization.policy import is_allowed


def policy_documents(principal: User | Role) -> Iterator[str]:
    """The documents of a user or role: inline and attached."""
    yield from list(principal.policies.values())
    yield from map(_default_version, list(principal.managed_policies.values()))


def boundary_documents(arn: str) -> tuple[str, ...]:
    """The document of a permissions boundary. One that does not exist allows nothing."""
    policy = iam_backends[ACCOUNT]["aws"].managed_policies.get(arn)
    return (_default_version(policy),) if policy else ()


def _default_version(policy: Policy) -> str:
    return next(str(each.document) for each in policy.versions if each.is_default)


class IamUsers:
    """`CallAuthorizer`: the users of the stand-in's IAM. Thread-safe.

    used: the actions that users were allowed, for whoever looks for a superfluous one.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._used: set[str] = set()

    @property
    def used(self) -> tuple[str, ...]:
        with self._mutex:
            return tuple(sorted(self._used))

    def forget(self) -> None:
        """Delete the record of what was used."""
        with self._mutex:
            self._used.clear()

    def decide(self, request: AwsRequest) -> Decision | None:
        """Decide on a call of a user. None if the key is nobody's."""
        user: User | None = iam_backends[ACCOUNT]["aws"].get_user_from_access_key_id(request.key)
        if user is None:
            return None
        documents = tuple(policy_documents(user))
        for needed in list_permissions(AuthorizedCall(request.action, request.region, request.parameters)):
            if not is_allowed(documents, needed):
                return Decision(user.arn, needed.action, needed.resource)
            with self._mutex:
                self._used.add(needed.action)
        return Decision(user.arn)
