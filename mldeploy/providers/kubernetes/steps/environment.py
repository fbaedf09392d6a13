"""The steps of the app's environment and of the pull credentials.

Each content is a separate object, so that old pods keep theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.kubernetes.api import CONFIG_MAP, SECRET, KubeClient, ObjectType
from mldeploy.providers.kubernetes.cloud import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.documents import Document, compare_manifest, name_of, uid_of
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import environment as manifests
from mldeploy.providers.kubernetes.manifests.environment import (
    COMPONENT,
    ENVIRONMENT,
    ContainerEnvironment,
    pull_secret_manifest,
    pull_secret_name,
)
from mldeploy.providers.kubernetes.steps.namespace import (
    Namespace,
    ObjectStep,
    delete_by_key,
    delete_object,
    require_owned,
    unless_deleting,
)


@dataclass(frozen=True, eq=False)
class ConfigMap(ObjectStep):
    """The variables that mldeploy sets for the app."""

    kind: ClassVar[str] = "kubernetes-config-map"
    title: ClassVar[str] = "Write the configuration"
    type: ClassVar[ObjectType] = CONFIG_MAP

    namespace: Namespace
    environment: ContainerEnvironment

    def name(self) -> str:
        return manifests.config_map_name(self.owner, self.environment)

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.config_map_manifest(self.owner, self.space, self.environment)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return _delete_all(cloud, CONFIG_MAP, key, monitor)


@dataclass(frozen=True, eq=False)
class EnvironmentSecret(ObjectStep):
    """The user's variables. They are in a Secret, and never in a printed manifest."""

    kind: ClassVar[str] = "kubernetes-secret"
    title: ClassVar[str] = "Write the secrets"
    type: ClassVar[ObjectType] = SECRET

    namespace: Namespace
    environment: ContainerEnvironment

    def name(self) -> str:
        return manifests.secret_name(self.owner, self.environment)

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.secret_manifest(self.owner, self.space, self.environment)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return _delete_all(cloud, SECRET, key, monitor)


def list_environments(kube: KubeClient, owner: Owner, kind: ObjectType, namespace: str) -> tuple[Document, ...]:
    """Return the app's environments, also those of old versions."""
    return kube.select(kind, namespace, {**owner.selector, COMPONENT: ENVIRONMENT})


def prune_environments(kube: KubeClient, owner: Owner, namespace: str, used: Collection[str]) -> None:
    """Delete the environments that no revision uses. used: the names of the others."""
    for kind in (CONFIG_MAP, SECRET):
        for each in list_environments(kube, owner, kind, namespace):
            if name_of(each) not in used:
                kube.delete(kind, name_of(each), namespace, uid=uid_of(each))


def _delete_all(cloud: HasCluster, kind: ObjectType, key: Key, monitor: Monitor) -> bool:
    kube = cloud.kube(key.scope[:-1])
    if kube is None:
        return False
    with kubernetes_errors(f"{kind.kind} {key}"):
        objects = list_environments(kube, cloud.owner, kind, key.scope[-1])
        deleted = [delete_object(cloud.owner, kube, kind, each, monitor) for each in objects]
    return any(deleted)


@dataclass(frozen=True, eq=False)
class PullSecret(Step[HasCluster, str]):
    """A Secret with the registry's credentials. The output is its name, "" without credentials."""

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
            current = unless_deleting(kube.get(SECRET, self.key().name, self.space))
        if current is None:
            return None
        drift = compare_manifest(self._manifest(access), current) if access else ("→ the registry's credentials",)
        return Seen(self.key().name, drift, ours=self.owner.owns(current))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        access = outs[self.repository].enter()
        if not access.user:
            return ""
        with kubernetes_errors(str(self.resource)):
            kube, name = outs[self.cluster], self.key().name
            require_owned(kube, self.owner, SECRET, name, self.space, monitor)
            kube.apply(self._manifest(access))
        return name

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, SECRET, key, monitor)

    def _access(self, outs: Outputs) -> RegistryAccess | None:
        repository = outs.get(self.repository)
        return repository.enter() if repository else None

    def _manifest(self, access: RegistryAccess) -> Document:
        return pull_secret_manifest(self.owner, self.space, access)
