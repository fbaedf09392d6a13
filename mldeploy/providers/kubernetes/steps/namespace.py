"""The namespace that everything else is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import HasCluster
from mldeploy.providers.kubernetes.errors import Refusal, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import space as manifests
from mldeploy.providers.kubernetes.reading import Document, name_of, text, uid_of
from mldeploy.providers.kubernetes.steps.objects import ObjectStep, living
from mldeploy.providers.kubernetes.types import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    VOLUME_CLAIM,
    ObjectType,
)
from mldeploy.providers.kubernetes.waiting import until_gone

ASKED = (POD, DEPLOYMENT, SERVICE, CONFIG_MAP, SECRET, VOLUME_CLAIM)
"""What a namespace is searched for before it is removed: all that people put there, or the pods of it."""
BY_ITSELF = ("kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt")
"""ConfigMaps that clusters put into every namespace."""
BUILT_IN = "kubernetes.io/service-account-token"
NAMED = 5


@dataclass(frozen=True, eq=False)
class Namespace(ObjectStep):
    """It is there. One that somebody else has made is used as it is."""

    kind: ClassVar[str] = "kubernetes-namespace"
    title: ClassVar[str] = "Create the namespace"
    type: ClassVar[ObjectType] = NAMESPACE

    def key(self) -> Key:
        return Key(self.space, self.cluster.scope)

    def name(self) -> str:
        return self.space

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.namespace(self.owner, self.space)

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        """One that is going is none: it takes everything with it."""
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            found = living(kube.get(NAMESPACE, self.space))
        return None if found is None else Seen(found, ours=self.owner.owns(found))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """Remove it if it is ours and holds nothing of anybody else's."""
        kube = cloud.kube(key.scope)
        if kube is None:
            return False
        with kubernetes_errors(f"namespace {key}"):
            found = kube.get(NAMESPACE, key.name)
            if found is None or not cloud.owner.owns(found):
                return False
            if living(found) and (others := tuple(strangers(kube, cloud.owner, key.name))):
                monitor.note(f"The namespace {key.name} stays: others are in it ({', '.join(others[:NAMED])}).")
                return False
            kube.delete(NAMESPACE, key.name, uid=uid_of(found))
            until_gone(kube, monitor, NAMESPACE, key.name, "", uid_of(found))
        return True


def removable(kube: Kube, owner: Owner, name: str) -> bool:
    """Whether the namespace is ours, and nobody else is in it."""
    found = kube.get(NAMESPACE, name)
    return found is not None and owner.owns(found) and not any(strangers(kube, owner, name))


def strangers(kube: Kube, owner: Owner, name: str) -> Iterator[str]:
    """What is in a namespace and is not the owner's, nor the cluster's own."""
    for kind in ASKED:
        for each in _listed(kube, kind, name):
            if not owner.owns(each) and not _is_cluster_s(each):
                yield f"{kind.kind} {name_of(each)}"


def _listed(kube: Kube, kind: ObjectType, name: str) -> tuple[Document, ...]:
    try:
        return kube.list(kind, name).items
    except Refusal as refusal:
        if refusal.status == 404:  # a small cluster need not serve every type
            return ()
        raise


def _is_cluster_s(found: Document) -> bool:
    return name_of(found) in BY_ITSELF or text(found, "type") == BUILT_IN
