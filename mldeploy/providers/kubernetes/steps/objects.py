"""The steps that see to one object each: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.drift import differences
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, name_of, text, uid_of
from mldeploy.providers.kubernetes.types import ObjectType
from mldeploy.providers.kubernetes.waiting import until_gone


@dataclass(frozen=True, eq=False)
class ObjectStep(Step[HasCluster, Document]):
    """An object is what its manifest says. Its output is the object as the server has it."""

    type: ClassVar[ObjectType]

    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    """The namespace's name."""

    def key(self) -> Key:
        return Key(self.owner.app, (*self.cluster.scope, self.space))

    @abstractmethod
    def manifest(self, outs: Outputs, found: Document | None) -> Document | None:
        """What is to be sent; None while a need that it says something of does not exist. found: the object now."""

    def name(self) -> str:
        """The object's."""
        return self.owner.app

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            found = living(kube.get(self.type, self.name(), self.space))
        if found is None:
            return None
        wanted = self.manifest(outs, found)
        drift = ("→ what follows from the steps before",) if wanted is None else differences(wanted, found)
        return Seen(found, drift, ours=self.owner.owns(found))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Document] | None, monitor: Monitor) -> Document:
        """Raises ManagedElsewhereError if a field is somebody else's, RefusedError if the object is."""
        with kubernetes_errors(str(self.resource)):
            return self.send(outs[self.cluster], outs, monitor)

    def send(self, kube: Kube, outs: Outputs, monitor: Monitor) -> Document:
        """Apply the manifest to what is there now: since the probe another may have made an object of this name."""
        found = checked(kube, self.owner, self.type, self.name(), self.space, monitor)
        wanted = self.manifest(outs, found)
        if wanted is None:
            raise RefusedError(str(self.resource), "is made of something that is gone", "Deploy again.")
        return kube.apply(wanted)


def living(found: Document | None) -> Document | None:
    """The object, unless it is on its way out."""
    return None if found is None or text(found, "metadata", "deletionTimestamp") else found


def checked(kube: Kube, owner: Owner, kind: ObjectType, name: str, namespace: str, monitor: Monitor) -> Document | None:
    """What is there of this name just before something is sent, None if nothing is; waits for what is on its way out.

    Raises RefusedError if it is somebody else's.
    """
    found = kube.get(kind, name, namespace)
    if found is not None and living(found) is None:
        monitor.progress(Progress("", f"waiting until the {kind.kind.lower()} that is on its way out is gone"))
        until_gone(kube, monitor, kind, name, namespace, uid_of(found))
        found = None
    if found is not None and not owner.owns(found):
        what = "was made by somebody else"
        raise RefusedError(f"{kind.kind} {name} in {namespace}", what, "Choose another `namespace`, or another name.")
    return found


def removed(cloud: HasCluster, kind: ObjectType, key: Key, monitor: Monitor) -> bool:
    """Remove the object of that key if it is ours, and return once it is gone."""
    kube = cloud.kube(key.scope[:-1])
    if kube is None:
        return False
    with kubernetes_errors(f"{kind.kind} {key}"):
        return named_removed(cloud.owner, kube, kind, key.name, key.scope[-1], monitor)


def named_removed(
    owner: Owner,
    kube: Kube,
    kind: ObjectType,
    name: str,
    namespace: str,
    monitor: Monitor,
    *,
    grace: int | None = None,
) -> bool:
    """Remove the object of that name if it is ours, and return once it is gone. grace: see `Kube.delete`."""
    found = kube.get(kind, name, namespace)
    return found is not None and discarded(owner, kube, kind, found, monitor, grace=grace)


def discarded(
    owner: Owner, kube: Kube, kind: ObjectType, found: Document, monitor: Monitor, *, grace: int | None = None
) -> bool:
    """Remove this very object if it is ours, and return once it is gone. grace: see `Kube.delete`."""
    if not owner.owns(found):
        return False
    namespace = text(found, "metadata", "namespace")
    kube.delete(kind, name_of(found), namespace, uid=uid_of(found), grace=grace)
    until_gone(kube, monitor, kind, name_of(found), namespace, uid_of(found))
    return True
