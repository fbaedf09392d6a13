"""The step of the namespace."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.kubernetes.api import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    VOLUME_CLAIM,
    KubeClient,
    ObjectType,
)
from mldeploy.providers.kubernetes.cloud import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.documents import Document, compare_manifest, name_of, text, uid_of
from mldeploy.providers.kubernetes.errors import ApiStatusError, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import environment as manifests
from mldeploy.providers.kubernetes.watch import wait_until_deleted


@dataclass(frozen=True, eq=False)
class ObjectStep(Step[HasCluster, Document]):
    """An object matches its manifest. The output is the object on the server."""

    type: ClassVar[ObjectType]

    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    """The namespace's name."""

    def key(self) -> Key:
        return Key(self.owner.app, (*self.cluster.scope, self.space))

    @abstractmethod
    def manifest(self, outs: Outputs, current: Document | None) -> Document | None:
        """Return the manifest; None while an input is missing. current: the object on the server."""

    def name(self) -> str:
        """Return the object's name."""
        return self.owner.app

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            current = unless_deleting(kube.get(self.type, self.name(), self.space))
        if current is None:
            return None
        desired = self.manifest(outs, current)
        drift = ("→ depends on earlier steps",) if desired is None else compare_manifest(desired, current)
        return Seen(current, drift, ours=self.owner.owns(current))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Document] | None, monitor: Monitor) -> Document:
        """Raises ManagedElsewhereError for another manager's field, RefusedError for an object of another owner."""
        with kubernetes_errors(str(self.resource)):
            return self.send(outs[self.cluster], outs, monitor)

    def send(self, kube: KubeClient, outs: Outputs, monitor: Monitor) -> Document:
        """Apply the manifest to the current object, which may have changed since the probe."""
        current = require_owned(kube, self.owner, self.type, self.name(), self.space, monitor)
        desired = self.manifest(outs, current)
        if desired is None:
            raise RefusedError(str(self.resource), "depends on an object that was deleted", "Deploy again.")
        return kube.apply(desired)


def unless_deleting(document: Document | None) -> Document | None:
    """Return the object, None if it is being deleted."""
    return None if document is None or text(document, "metadata", "deletionTimestamp") else document


def require_owned(
    kube: KubeClient, owner: Owner, kind: ObjectType, name: str, namespace: str, monitor: Monitor
) -> Document | None:
    """Return the object with this name, None if there is none. Waits for one that is being deleted.

    Raises RefusedError if mldeploy does not own it.
    """
    document = kube.get(kind, name, namespace)
    if document is not None and unless_deleting(document) is None:
        monitor.progress(Progress("", f"waiting for the deletion of the old {kind.kind.lower()}"))
        wait_until_deleted(kube, monitor, kind, name, namespace, uid_of(document))
        document = None
    refuse_foreign(owner, kind, document)
    return document


def refuse_foreign(owner: Owner, kind: ObjectType, document: Document | None) -> None:
    """Raises RefusedError if mldeploy does not own the object. None: there is none."""
    if document is not None and not owner.owns(document):
        where = f"{kind.kind} {name_of(document)} in {text(document, 'metadata', 'namespace')}"
        raise RefusedError(where, "was not created by mldeploy", "Choose another `namespace` or another name.")


def delete_by_key(cloud: HasCluster, kind: ObjectType, key: Key, monitor: Monitor) -> bool:
    """Delete the object with this key if mldeploy owns it, and return once it is deleted."""
    kube = cloud.kube(key.scope[:-1])
    if kube is None:
        return False
    with kubernetes_errors(f"{kind.kind} {key}"):
        return delete_by_name(cloud.owner, kube, kind, key.name, key.scope[-1], monitor)


def delete_by_name(
    owner: Owner,
    kube: KubeClient,
    kind: ObjectType,
    name: str,
    namespace: str,
    monitor: Monitor,
    *,
    grace: int | None = None,
) -> bool:
    """Delete the object with this name if mldeploy owns it, and return once it is deleted.

    grace: see `KubeClient.delete`.
    """
    document = kube.get(kind, name, namespace)
    return document is not None and delete_object(owner, kube, kind, document, monitor, grace=grace)


def delete_object(
    owner: Owner, kube: KubeClient, kind: ObjectType, document: Document, monitor: Monitor, *, grace: int | None = None
) -> bool:
    """Delete this object if mldeploy owns it, and return once it is deleted. grace: see `KubeClient.delete`."""
    if not owner.owns(document):
        return False
    namespace = text(document, "metadata", "namespace")
    kube.delete(kind, name_of(document), namespace, uid=uid_of(document), grace=grace)
    wait_until_deleted(kube, monitor, kind, name_of(document), namespace, uid_of(document))
    return True


SEARCHED_TYPES = (POD, DEPLOYMENT, SERVICE, CONFIG_MAP, SECRET, VOLUME_CLAIM)
"""The types of objects that block the removal of a namespace."""
CLUSTER_CONFIG_MAPS = ("kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt")
"""ConfigMaps that clusters create in every namespace."""
SERVICE_ACCOUNT_TYPE = "kubernetes.io/service-account-token"
LISTED_LIMIT = 5


@dataclass(frozen=True, eq=False)
class Namespace(ObjectStep):
    """The namespace exists. One that mldeploy did not create is used as it is."""

    kind: ClassVar[str] = "kubernetes-namespace"
    title: ClassVar[str] = "Create the namespace"
    type: ClassVar[ObjectType] = NAMESPACE

    contents: tuple[ObjectType, ...] = ()
    """The types of the objects with the app's name that later steps create in it."""

    def key(self) -> Key:
        return Key(self.space, self.cluster.scope)

    def name(self) -> str:
        return self.space

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.namespace_manifest(self.owner, self.space)

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        """A namespace that is being deleted counts as absent.

        Raises RefusedError if an object of somebody else has the name of one that a later step creates, so that
        nothing is created before.
        """
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            namespace = unless_deleting(kube.get(NAMESPACE, self.space))
            if namespace is None:
                return None
            for kind in self.contents:
                refuse_foreign(self.owner, kind, unless_deleting(kube.get(kind, self.owner.app, self.space)))
        return Seen(namespace, ours=self.owner.owns(namespace))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """Delete the namespace if mldeploy owns it and it contains no other objects."""
        kube = cloud.kube(key.scope)
        if kube is None:
            return False
        with kubernetes_errors(f"namespace {key}"):
            namespace = kube.get(NAMESPACE, key.name)
            if namespace is None or not cloud.owner.owns(namespace):
                return False
            if unless_deleting(namespace) and (others := tuple(foreign_objects(kube, cloud.owner, key.name))):
                monitor.note(
                    f"The namespace {key.name} stays: it contains other objects ({', '.join(others[:LISTED_LIMIT])})."
                )
                return False
            kube.delete(NAMESPACE, key.name, uid=uid_of(namespace))
            wait_until_deleted(kube, monitor, NAMESPACE, key.name, "", uid_of(namespace))
        return True


def is_removable(kube: KubeClient, owner: Owner, name: str) -> bool:
    """Whether mldeploy owns the namespace, and it contains no other objects."""
    namespace = kube.get(NAMESPACE, name)
    return namespace is not None and owner.owns(namespace) and not any(foreign_objects(kube, owner, name))


def foreign_objects(kube: KubeClient, owner: Owner, name: str) -> Iterator[str]:
    """Yield the objects in a namespace that belong neither to the owner nor to the cluster."""
    for kind in SEARCHED_TYPES:
        for each in _list_objects(kube, kind, name):
            if not owner.owns(each) and not _is_built_in(each):
                yield f"{kind.kind} {name_of(each)}"


def _list_objects(kube: KubeClient, kind: ObjectType, name: str) -> tuple[Document, ...]:
    try:
        return kube.list(kind, name).items
    except ApiStatusError as refusal:
        if refusal.status == 404:  # not every cluster serves every type
            return ()
        raise


def _is_built_in(namespace: Document) -> bool:
    return name_of(namespace) in CLUSTER_CONFIG_MAPS or text(namespace, "type") == SERVICE_ACCOUNT_TYPE
