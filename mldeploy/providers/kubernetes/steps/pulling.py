"""The registry's credentials, for the cluster to pull the image with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.kubernetes.cluster import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.drift import differences
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.space import pull_secret, pull_secret_name
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import checked, living, removed
from mldeploy.providers.kubernetes.types import SECRET


@dataclass(frozen=True, eq=False)
class PullSecret(Step[HasCluster, str]):
    """A Secret with what we know of the registry. Its output is its name, "" where anybody may pull."""

    kind: ClassVar[str] = "kubernetes-pull-secret"
    title: ClassVar[str] = "Hand over the registry's credentials"

    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    namespace: Namespace
    repository: RepositoryStep[Never]

    def key(self) -> Key:
        return Key(pull_secret_name(self.owner), (*self.cluster.scope, self.space))

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[str] | None:
        access = self._access(outs)
        if access is not None and not access.user:
            return Seen("", ours=False)
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            found = living(kube.get(SECRET, self.key().name, self.space))
        if found is None:
            return None
        drift = differences(self._manifest(access), found) if access else ("→ the registry's credentials",)
        return Seen(self.key().name, drift, ours=self.owner.owns(found))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        access = outs[self.repository].enter()
        if not access.user:
            return ""
        with kubernetes_errors(str(self.resource)):
            kube, name = outs[self.cluster], self.key().name
            checked(kube, self.owner, SECRET, name, self.space, monitor)
            kube.apply(self._manifest(access))
        return name

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, SECRET, key, monitor)

    def _access(self, outs: Outputs) -> RegistryAccess | None:
        repository = outs.get(self.repository)
        return repository.enter() if repository else None

    def _manifest(self, access: RegistryAccess) -> Document:
        return pull_secret(self.owner, self.space, access)
