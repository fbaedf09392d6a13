"""The app's repository, with read access for the cluster's nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from google.api_core import exceptions as api
from google.iam.v1 import iam_policy_pb2, options_pb2, policy_pb2

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import ImageRepository
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import GcpDeniedError, GcpError, gcp_errors
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import find_cluster
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.gcp.repositories import where
from mldeploy.providers.gcp.repository import GarRepository

READER = "roles/artifactregistry.reader"
CONDITIONS_VERSION = 3
"""Required to preserve bindings with conditions.

https://cloud.google.com/iam/docs/policies#versions
"""


@dataclass(frozen=True, eq=False)
class ReadableRepository(GarRepository):
    """The app's repository. The nodes' service account may pull from it, until the repository is deleted."""

    kind: ClassVar[str] = GarRepository.kind

    settings: GkeSettings
    platform: str
    """Of the image, `linux/amd64`."""

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[ImageRepository] | None:  # type: ignore[override]
        seen = super().probe(cloud, outs)
        if seen is None or not seen.ours or not self.settings.grant_pull:
            return seen
        account = self._account(cloud)
        readable = _can_read(_get_policy(cloud, self.id), account)
        return seen if readable else replace(seen, drift=(*seen.drift, f"{account} may not pull → may"))

    def apply(  # type: ignore[override]
        self, cloud: GkeCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        self.settings.require_platform(self.platform)
        repository = super().apply(cloud, outs, seen, monitor)
        if self.settings.grant_pull:
            self._grant(cloud, monitor)
        return repository

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]
        return GarRepository.undo(cloud, key, monitor)

    def _account(self, cloud: GkeCloud) -> str:
        """The nodes' service account: of the shared cluster, of the settings, or the project's default."""
        shared = find_cluster(cloud, self.settings.cluster) if self.settings.cluster else None
        account = shared.node_account if shared else self.settings.node_service_account or "default"
        account = cloud.compute.default_account() if account == "default" else account
        if not account:
            todo = "Set `node_service_account` in [target.gke]."
            raise GcpError(where(self.id), "the project has no default service account for nodes", todo)
        return account

    def _grant(self, cloud: GkeCloud, monitor: Monitor) -> None:
        """Grant read access. Retries if the policy is changed concurrently."""
        account = self._account(cloud)
        for _ in monitor.attempts(every=1.0, within=60.0):
            policy = _get_policy(cloud, self.id)
            if _can_read(policy, account):
                return
            policy.bindings.append(policy_pb2.Binding(role=READER, members=[f"serviceAccount:{account}"]))
            if _set_policy(cloud, self.id, policy):
                return
        raise GcpError(where(self.id), "its IAM policy is being changed by others", "Try again later.")


def _get_policy(cloud: GkeCloud, repository: str) -> policy_pb2.Policy:
    options = options_pb2.GetPolicyOptions(requested_policy_version=CONDITIONS_VERSION)
    request = iam_policy_pb2.GetIamPolicyRequest(resource=_resource_path(cloud, repository), options=options)
    with gcp_errors(where(repository), "artifactregistry.repositories.getIamPolicy"):
        policy: policy_pb2.Policy = call(cloud.account.identity, cloud.artifacts.get_iam_policy, request)
    return policy


def _set_policy(cloud: GkeCloud, repository: str, policy: policy_pb2.Policy) -> bool:
    """Set the policy. False if it was changed since it was read (its etag differs)."""
    request = iam_policy_pb2.SetIamPolicyRequest(resource=_resource_path(cloud, repository), policy=policy)
    try:
        with gcp_errors(where(repository), "artifactregistry.repositories.setIamPolicy"):
            call(cloud.account.identity, cloud.artifacts.set_iam_policy, request)
    except GcpDeniedError as error:
        todo = "Request this permission. If the nodes may pull already, set grant_pull = false in [target.gke]."
        raise GcpDeniedError(error.where, error.permission, todo=todo) from error
    except GcpError as error:
        if isinstance(error.__cause__, api.Aborted):
            return False
        raise
    return True


def _can_read(policy: policy_pb2.Policy, account: str) -> bool:
    member = f"serviceAccount:{account}"
    return any(
        member in each.members and not each.HasField("condition") for each in policy.bindings if each.role == READER
    )


def _resource_path(cloud: GkeCloud, repository: str) -> str:
    return f"{cloud.parent}/repositories/{repository}"
