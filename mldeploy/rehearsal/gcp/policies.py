"""IAM policies of single resources. https://cloud.google.com/iam/docs/reference/rest/v1/Policy"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from google.iam.v1 import policy_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.longrunning import Scheduler

EVERYBODY = frozenset(("allUsers", "allAuthenticatedUsers"))


@dataclass(eq=False)
class ResourcePolicy:
    """A policy. known: what has taken effect of it."""

    policy: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    known: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)

    def members(self, roles: Collection[str]) -> frozenset[str]:
        """The members that have one of these roles now."""
        return frozenset(member for each in self.known.bindings if each.role in roles for member in each.members)


class PolicyWriter:
    """Sets policies, which take effect late in a harsh project."""

    def __init__(self, scheduler: Scheduler, conditions: ProjectConditions) -> None:
        self._scheduler = scheduler
        self._conditions = conditions

    def write(self, stored: ResourcePolicy, wanted: policy_pb2.Policy) -> policy_pb2.Policy:
        """Replace a policy. Raises ApiError for an etag of another version, or if members are not permitted.

        The organization's message: https://github.com/LayerZero-Labs/gasolina-gcp/issues/15
        """
        if wanted.etag not in (b"", stored.policy.etag):
            what = "There were concurrent policy changes. Please retry the whole read-modify-write."
            raise ApiError(Code.ABORTED, what)
        members = {member for each in wanted.bindings for member in each.members}
        if self._conditions.is_domain_restricted and members & EVERYBODY:
            what = (
                "One or more users named in the policy do not belong to a permitted customer,  perhaps due to an "
                "organization policy."
            )
            raise ApiError(Code.FAILED_PRECONDITION, what)
        stored.policy.CopyFrom(wanted)
        now = Timestamp()
        now.GetCurrentTime()
        stored.policy.etag, stored.policy.version = str(now.ToNanoseconds()).encode(), 1
        self._scheduler.in_seconds(self._conditions.grant_seconds, lambda: stored.known.CopyFrom(stored.policy))
        if not self._conditions.grant_seconds:
            stored.known.CopyFrom(stored.policy)
        return stored.policy
