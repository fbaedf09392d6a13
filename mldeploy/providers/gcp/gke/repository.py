"""The app's repository, which the cluster's nodes may read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from google.api_core import exceptions as api
from google.iam.v1 import iam_policy_pb2, options_pb2, policy_pb2

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import Repository
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import DeniedError, GcpError, gcp_errors
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import find
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.gcp.repositories import where
from mldeploy.providers.gcp.repository import GarRepository

READER = "roles/artifactregistry.reader"
CONDITIONS_VERSION = 3
"""Asked for, so that bindings with conditions come through a change unharmed.

https://cloud.google.com/iam/docs/policies#versions
"""


@dataclass(frozen=True, eq=False)
class ReadableRepository(GarRepository):
    """Besides, the nodes' service account may pull from it. The grant goes with the repository."""

    kind: ClassVar[str] = GarRepository.kind

    settings: GkeSettings

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[Repository] | None:  # type: ignore[override]
        seen = super().probe(cloud, outs)
        if seen is None or not seen.ours or not self.settings.grant_pull:
            return seen
        account = self._account(cloud)
        readable = _may_read(_policy(cloud, self.id), account)
        return seen if readable else replace(seen, drift=(*seen.drift, f"{account} may not pull → may"))

    def apply(  # type: ignore[override]
        self, cloud: GkeCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor
    ) -> Repository:
        repository = super().apply(cloud, outs, seen, monitor)
        if self.settings.grant_pull:
            self._grant(cloud, monitor)
        return repository

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]
        return GarRepository.undo(cloud, key, monitor)

    def _account(self, cloud: GkeCloud) -> str:
        """Whose the nodes are: of the cluster that is used, of the settings, or the project's default."""
        shared = find(cloud, self.settings.cluster) if self.settings.cluster else None
        named = shared.node_account if shared else self.settings.node_service_account or "default"
        account = cloud.compute.default_account() if named == "default" else named
        if not account:
            todo = "Name another one: `node_service_account` in [target.gke]."
            raise GcpError(where(self.id), "the project has no default service account for nodes", todo)
        return account

    def _grant(self, cloud: GkeCloud, monitor: Monitor) -> None:
        """Somebody else may change the policy meanwhile: then it is read again."""
        account = self._account(cloud)
        for _ in monitor.attempts(every=1.0, within=60.0):
            policy = _policy(cloud, self.id)
            if _may_read(policy, account):
                return
            policy.bindings.append(policy_pb2.Binding(role=READER, members=[f"serviceAccount:{account}"]))
            if _written(cloud, self.id, policy):
                return
        raise GcpError(where(self.id), "its policy is changed by somebody else all the time", "Try again later.")


def _policy(cloud: GkeCloud, repository: str) -> policy_pb2.Policy:
    options = options_pb2.GetPolicyOptions(requested_policy_version=CONDITIONS_VERSION)
    request = iam_policy_pb2.GetIamPolicyRequest(resource=_name(cloud, repository), options=options)
    with gcp_errors(where(repository), "artifactregistry.repositories.getIamPolicy"):
        found: policy_pb2.Policy = call(cloud.account.identity, cloud.artifacts.get_iam_policy, request)
    return found


def _written(cloud: GkeCloud, repository: str, policy: policy_pb2.Policy) -> bool:
    """False if it has changed since it was read: its etag says so."""
    request = iam_policy_pb2.SetIamPolicyRequest(resource=_name(cloud, repository), policy=policy)
    try:
        with gcp_errors(where(repository), "artifactregistry.repositories.setIamPolicy"):
            call(cloud.account.identity, cloud.artifacts.set_iam_policy, request)
    except DeniedError as error:
        todo = "Have it allowed; or, where the nodes may pull already, set grant_pull = false in [target.gke]."
        raise DeniedError(error.where, error.permission, todo=todo) from error
    except GcpError as error:
        if isinstance(error.__cause__, api.Aborted):
            return False
        raise
    return True


def _may_read(policy: policy_pb2.Policy, account: str) -> bool:
    member = f"serviceAccount:{account}"
    return any(
        member in each.members and not each.HasField("condition") for each in policy.bindings if each.role == READER
    )


def _name(cloud: GkeCloud, repository: str) -> str:
    return f"{cloud.parent}/repositories/{repository}"
