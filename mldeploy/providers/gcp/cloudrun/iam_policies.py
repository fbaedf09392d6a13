"""Members of roles in the IAM policy of one resource. https://cloud.google.com/iam/docs/policies"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from google.api_core import exceptions as api
from google.iam.v1 import iam_policy_pb2, options_pb2, policy_pb2

from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import GcpError, gcp_errors
from mldeploy.providers.gcp.identity import GoogleCredentials

CONDITIONS_VERSION = 3
"""Required to preserve bindings with conditions: https://cloud.google.com/iam/docs/policies#versions"""
CONFLICT_SECONDS = 60.0
VISIBLE_SECONDS = 10.0
"""A new resource may be missing in the first answers."""


class PolicyClient(Protocol):
    """The part of an SDK client that reads and writes the policies of its resources."""

    @property
    def get_iam_policy(self) -> Callable[..., policy_pb2.Policy]: ...

    @property
    def set_iam_policy(self) -> Callable[..., policy_pb2.Policy]: ...


@dataclass(frozen=True)
class ResourcePolicyEditor:
    """The policy of one resource. resource: its full name. permission: what both permissions begin with."""

    client: PolicyClient
    identity: GoogleCredentials
    resource: str
    where: str
    permission: str

    def has(self, role: str, member: str) -> bool:
        """Whether the member has the role without a condition; False if the resource does not exist."""
        policy = self._read()
        return policy is not None and _has(policy, role, member)

    def exists(self) -> bool:
        """Whether there is such a resource."""
        return self._read() is not None

    def grant(self, role: str, member: str, monitor: Monitor) -> None:
        """Add the member. May be repeated. Raises GcpError, with the SDK's error as its cause, DeniedError."""
        self._change(monitor, lambda policy: _add(policy, role, member))

    def revoke(self, role: str, member: str, monitor: Monitor) -> bool:
        """Remove the member; True if it had the role. May be repeated."""
        had = self.has(role, member)
        if had:
            self._change(monitor, lambda policy: _remove(policy, role, member))
        return had

    def _change(self, monitor: Monitor, change: Callable[[policy_pb2.Policy], bool]) -> None:
        """change: returns False if there is nothing to change. Repeated if others change it at the same time."""
        for waited in monitor.attempts(every=1.0, within=CONFLICT_SECONDS):
            policy = self._read()
            if policy is None and waited < VISIBLE_SECONDS:
                continue
            if policy is None:
                raise GcpError(self.where, "does not exist", "Create it, or correct its name.")
            if not change(policy) or self._write(policy):
                return
        raise GcpError(self.where, "its IAM policy is being changed by others", "Try again later.")

    def _read(self) -> policy_pb2.Policy | None:
        options = options_pb2.GetPolicyOptions(requested_policy_version=CONDITIONS_VERSION)
        request = iam_policy_pb2.GetIamPolicyRequest(resource=self.resource, options=options)
        with gcp_errors(self.where, f"{self.permission}.getIamPolicy"):
            try:
                policy: policy_pb2.Policy = call(self.identity, self.client.get_iam_policy, request)
            except api.NotFound:
                return None
        return policy

    def _write(self, policy: policy_pb2.Policy) -> bool:
        """False if it was changed since it was read (its etag differs)."""
        request = iam_policy_pb2.SetIamPolicyRequest(resource=self.resource, policy=policy)
        with gcp_errors(self.where, f"{self.permission}.setIamPolicy"):
            try:
                call(self.identity, self.client.set_iam_policy, request)
            except api.Aborted:
                return False
        return True


def _has(policy: policy_pb2.Policy, role: str, member: str) -> bool:
    bindings = (each for each in policy.bindings if each.role == role and not each.HasField("condition"))
    return any(member in each.members for each in bindings)


def _add(policy: policy_pb2.Policy, role: str, member: str) -> bool:
    if _has(policy, role, member):
        return False
    policy.bindings.append(policy_pb2.Binding(role=role, members=[member]))
    return True


def _remove(policy: policy_pb2.Policy, role: str, member: str) -> bool:
    for each in policy.bindings:
        if each.role == role and member in each.members and not each.HasField("condition"):
            each.members.remove(member)
    kept = [each for each in policy.bindings if each.members]
    del policy.bindings[:]
    policy.bindings.extend(kept)
    return True
