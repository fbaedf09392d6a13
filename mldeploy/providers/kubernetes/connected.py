"""The cluster and the registry of the target `kubernetes`: they are there, or nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cloud import KubernetesCloud
from mldeploy.providers.kubernetes.cluster import ClusterStep
from mldeploy.providers.kubernetes.errors import kubernetes_errors


@dataclass(frozen=True, eq=False)
class ConnectedCluster(ClusterStep[KubernetesCloud]):
    """The API server answers, and lets us in."""

    kind: ClassVar[str] = "kubernetes-cluster"
    title: ClassVar[str] = "Reach the cluster"
    stays: ClassVar[bool] = True

    @property
    def scope(self) -> tuple[str, ...]:
        return ()

    def key(self) -> Key:
        return Key("cluster")

    def probe(self, cloud: KubernetesCloud, outs: Outputs) -> Seen[Kube]:
        with kubernetes_errors(f"cluster {cloud.api.server}"):
            cloud.api.version()
        return Seen(cloud.api, ours=False)

    def apply(self, cloud: KubernetesCloud, outs: Outputs, seen: Seen[Kube] | None, monitor: Monitor) -> Kube:
        return cloud.api

    @staticmethod
    def undo(cloud: KubernetesCloud, key: Key, monitor: Monitor) -> bool:
        """It was there before us."""
        return False


@dataclass(frozen=True, eq=False)
class GivenRepository(RepositoryStep[KubernetesCloud]):
    """The place in a registry that the settings name. Whoever runs that makes it, or the first push does."""

    kind: ClassVar[str] = "registry-repository"
    title: ClassVar[str] = "Find the registry"
    stays: ClassVar[bool] = True

    path: str
    """In its registry."""

    def key(self) -> Key:
        return Key(self.path)

    def probe(self, cloud: KubernetesCloud, outs: Outputs) -> Seen[Repository]:
        return Seen(cloud.repository, ours=False)

    def apply(
        self, cloud: KubernetesCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor
    ) -> Repository:
        return cloud.repository

    @staticmethod
    def undo(cloud: KubernetesCloud, key: Key, monitor: Monitor) -> bool:
        """What was pushed stays: others may run it."""
        return False
