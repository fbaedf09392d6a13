"""The app's secrets in a cluster: one Secret object each, which the pods' variables reference.

https://kubernetes.io/docs/concepts/configuration/secret/. The objects are changed in place: pods that run keep the
value with which they started, and pods that start get the newest one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.kubernetes.api import NAMESPACE, SECRET, KubeClient
from mldeploy.providers.kubernetes.cloud import HasCluster
from mldeploy.providers.kubernetes.documents import Document, name_of, text, texts
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner, object_metadata
from mldeploy.providers.kubernetes.manifests.environment import COMPONENT, encode_secret_value, namespace_manifest
from mldeploy.providers.kubernetes.steps.namespace import (
    Namespace,
    delete_by_key,
    delete_by_name,
    require_owned,
    unless_deleting,
)
from mldeploy.providers.secret_store import (
    VARIABLE_LIMIT,
    StoredSecret,
    StoredSecretStep,
    require_size,
)

STORED = "secret"
"""The component of the objects, beside the app's labels."""
VARIABLE = "mldeploy.variable"
UPDATED = "mldeploy.updated"
VERSION = "mldeploy.version"
"""An annotation: a random text of each value. A digest would let others guess a short value."""


@dataclass(frozen=True)
class ClusterSecretStore:
    """`mldeploy.providers.secret_store.SecretStore` in a namespace.

    connect: returns the cluster's client, None if there is no cluster. scope: that of the cluster's step.
    """

    connect: Callable[[], KubeClient | None]
    owner: Owner
    scope: tuple[str, ...]
    space: str
    limit: ClassVar[int] = VARIABLE_LIMIT

    def list(self) -> tuple[StoredSecret, ...]:
        kube = self.connect()
        if kube is None:
            return ()
        with kubernetes_errors(f"namespace {self.space}"):
            return list_stored_secrets(kube, self.owner, self.space)

    def read(self, name: str) -> Secret | None:
        kube = self.connect()
        if kube is None:
            return None
        with kubernetes_errors(f"secret {name}"):
            document = unless_deleting(kube.get(SECRET, object_name(self.owner, name), self.space))
        return _read_value(document, name) if document is not None and self.owner.owns(document) else None

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """Also creates the namespace. Raises AbsentError without a cluster, RefusedError for an object of others."""
        require_size(name, value, self.limit)
        kube = self.connect()
        if kube is None:
            todo = "Deploy once, which creates it. Until then, give the app the value with `env_file`."
            raise AbsentError(f"secret {name}", "there is no cluster yet to keep it", todo)
        with kubernetes_errors(f"secret {name}"):
            self._ensure_namespace(kube, monitor)
            current = require_owned(kube, self.owner, SECRET, object_name(self.owner, name), self.space, monitor)
            if current is not None and _read_value(current, name) == value:
                return _stored(current)
            return _stored(kube.apply(secret_manifest(self.owner, self.space, name, value)))

    def remove(self, name: str, monitor: Monitor) -> bool:
        kube = self.connect()
        if kube is None:
            return False
        with kubernetes_errors(f"secret {name}"):
            return delete_by_name(self.owner, kube, SECRET, object_name(self.owner, name), self.space, monitor)

    def resources(self, name: str) -> tuple[Resource, ...]:
        namespace = Resource(Namespace.kind, Key(self.space, self.scope))
        return (namespace, Resource(ClusterSecret.kind, Key(object_name(self.owner, name), (*self.scope, self.space))))

    def _ensure_namespace(self, kube: KubeClient, monitor: Monitor) -> None:
        """Create the namespace, as a deployment does; one that exists is used as it is."""
        if unless_deleting(kube.get(NAMESPACE, self.space)) is None:
            require_owned(kube, self.owner, NAMESPACE, self.space, "", monitor)
            kube.apply(namespace_manifest(self.owner, self.space))


def list_stored_secrets(kube: KubeClient, owner: Owner, namespace: str) -> tuple[StoredSecret, ...]:
    """Return the app's secrets in a namespace, sorted by name. Raises ApiStatusError."""
    documents = kube.select(SECRET, namespace, {**owner.selector, COMPONENT: STORED})
    stored = (_stored(each) for each in documents if unless_deleting(each) is not None)
    return tuple(sorted(stored, key=lambda each: each.name))


def is_stored_secret(document: Document) -> bool:
    """Whether a Secret of the app is one of the store."""
    return texts(document, "metadata", "labels").get(COMPONENT) == STORED


def object_name(owner: Owner, name: str) -> str:
    """Return the object's name. Names of variables differ by case and have underscores; names of objects do not."""
    return f"{owner.app}-secret-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def secret_manifest(owner: Owner, namespace: str, name: str, value: Secret) -> Document:
    """Return the Secret with a new version of the value."""
    notes = {
        VARIABLE: name,
        UPDATED: datetime.now(UTC).isoformat(timespec="seconds"),
        VERSION: secrets.token_hex(8),
    }
    return {
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": object_metadata(
            owner, object_name(owner, name), namespace, labels={COMPONENT: STORED}, annotations=notes
        ),
        "type": "Opaque",
        "data": {name: encode_secret_value(value)},
    }


def _stored(document: Document) -> StoredSecret:
    notes = texts(document, "metadata", "annotations")
    return StoredSecret(
        notes.get(VARIABLE, ""),
        f"{text(document, 'metadata', 'namespace')}/{name_of(document)}",
        notes.get(UPDATED, ""),
        notes.get(VERSION, ""),
    )


def _read_value(document: Document, name: str) -> Secret | None:
    """Raises RefusedError if somebody has put something else than text there."""
    data = texts(document, "data").get(name)
    try:
        return None if data is None else Secret(base64.b64decode(data).decode())
    except (binascii.Error, UnicodeDecodeError):
        todo = f"Run `mldeploy secrets unset {name}`, and set it again."
        raise RefusedError(f"secret {name}", "its value in the cluster is not text", todo) from None


@dataclass(frozen=True, eq=False)
class ClusterSecret(StoredSecretStep[HasCluster]):
    """A Secret of the store. It goes before its namespace."""

    kind: ClassVar[str] = "kubernetes-stored-secret"

    namespace: Namespace

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, SECRET, key, monitor)
