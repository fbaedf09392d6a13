"""What the app finds in its environment. Each content is an object of its own, so that old pods keep theirs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import HasCluster
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import environment as manifests
from mldeploy.providers.kubernetes.manifests.environment import COMPONENT, ENVIRONMENT, Environment
from mldeploy.providers.kubernetes.reading import Document, name_of, uid_of
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import ObjectStep, discarded
from mldeploy.providers.kubernetes.types import CONFIG_MAP, SECRET, ObjectType


@dataclass(frozen=True, eq=False)
class ConfigMap(ObjectStep):
    """What mldeploy tells the app."""

    kind: ClassVar[str] = "kubernetes-config-map"
    title: ClassVar[str] = "Write the configuration"
    type: ClassVar[ObjectType] = CONFIG_MAP

    namespace: Namespace
    environment: Environment

    def name(self) -> str:
        return manifests.config_map_name(self.owner, self.environment)

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.config_map(self.owner, self.space, self.environment)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return _all_removed(cloud, CONFIG_MAP, key, monitor)


@dataclass(frozen=True, eq=False)
class EnvironmentSecret(ObjectStep):
    """What the user tells the app. It is in the cluster's store of Secrets, and in no manifest that is printed."""

    kind: ClassVar[str] = "kubernetes-secret"
    title: ClassVar[str] = "Write the secrets"
    type: ClassVar[ObjectType] = SECRET

    namespace: Namespace
    environment: Environment

    def name(self) -> str:
        return manifests.secret_name(self.owner, self.environment)

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.secret(self.owner, self.space, self.environment)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return _all_removed(cloud, SECRET, key, monitor)


def generations(kube: Kube, owner: Owner, kind: ObjectType, namespace: str) -> tuple[Document, ...]:
    """All that there are, those of old versions too."""
    return kube.select(kind, namespace, {**owner.selector, COMPONENT: ENVIRONMENT})


def prune(kube: Kube, owner: Owner, namespace: str, used: Collection[str]) -> None:
    """Remove those of versions to which nobody can go back any more. used: their names by which pods know them."""
    for kind in (CONFIG_MAP, SECRET):
        for each in generations(kube, owner, kind, namespace):
            if name_of(each) not in used:
                kube.delete(kind, name_of(each), namespace, uid=uid_of(each))


def _all_removed(cloud: HasCluster, kind: ObjectType, key: Key, monitor: Monitor) -> bool:
    kube = cloud.kube(key.scope[:-1])
    if kube is None:
        return False
    with kubernetes_errors(f"{kind.kind} {key}"):
        found = generations(kube, cloud.owner, kind, key.scope[-1])
        gone = [discarded(cloud.owner, kube, kind, each, monitor) for each in found]
    return any(gone)
