"""The versions of an app: the ReplicaSets of its Deployment, and what became of them.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.deployment import CONFIGURATION, CONTAINER
from mldeploy.providers.kubernetes.reading import (
    Document,
    condition,
    name_of,
    number,
    rows,
    table,
    text,
    texts,
    uid_of,
)
from mldeploy.providers.kubernetes.running.pods import HASH
from mldeploy.providers.kubernetes.types import DEPLOYMENT, REPLICA_SET

REVISION = "deployment.kubernetes.io/revision"
STATE = "mldeploy.state"
FAILED = "failed"
"""An annotation of a ReplicaSet: it was rolled out, and could not serve."""


@dataclass(frozen=True)
class Version:
    """One ReplicaSet. number: its revision. image: by digest. created: ISO 8601, UTC. available: pods that serve.

    refused: why no pod could be made, "" if nothing stood in the way.
    """

    number: int
    name: str
    uid: str
    hash: str
    image: str
    created: str
    failed: bool
    available: int
    refused: str
    document: Document

    @property
    def environment(self) -> frozenset[str]:
        """The names of the ConfigMaps and Secrets that its pods need."""
        held = {text(each, part, "name") for each in _sources(self.document) for part in ("configMapRef", "secretRef")}
        return frozenset(held - {""})


def versions(found: Iterable[Document], deployment: Document) -> tuple[Version, ...]:
    """Those of a Deployment, the newest first."""
    mine = (version(each) for each in found if owned_by(each, uid_of(deployment)))
    return tuple(sorted(mine, key=lambda each: (each.number, each.created), reverse=True))


def of(kube: Kube, owner: Owner, namespace: str, deployment: Document) -> tuple[Version, ...]:
    """The same, asked for."""
    return versions(kube.select(REPLICA_SET, namespace, owner.selector), deployment)


def current(found: Iterable[Version], deployment: Document) -> Version | None:
    """The version that the Deployment is to run; None until its controller has seen what it was told."""
    if number(deployment, "status", "observedGeneration") < number(deployment, "metadata", "generation"):
        return None
    return next((each for each in found if each.number == revision(deployment)), None)


def revision(document: Document) -> int:
    """A Deployment's, or a ReplicaSet's; 0 if it has none yet."""
    told = texts(document, "metadata", "annotations").get(REVISION, "")
    return int(told) if told.isdecimal() else 0


def is_settled(deployment: Document) -> bool:
    """All pods are of the newest version, and serve: what `kubectl rollout status` waits for."""
    wanted = number(deployment, "spec", "replicas")
    status = table(deployment, "status")
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    seen = number(status, "observedGeneration") >= number(deployment, "metadata", "generation")
    return seen and all(number(status, each) == wanted for each in counts)


def version(found: Document) -> Version:
    """What a server says of a ReplicaSet."""
    failure = condition(found, "ReplicaFailure")
    container = next((each for each in rows(_template(found), "spec", "containers")), {})
    return Version(
        number=revision(found),
        name=name_of(found),
        uid=uid_of(found),
        hash=texts(found, "metadata", "labels").get(HASH, ""),
        image=text(container, "image"),
        created=text(found, "metadata", "creationTimestamp"),
        failed=texts(found, "metadata", "annotations").get(STATE) == FAILED,
        available=number(found, "status", "availableReplicas"),
        refused=text(failure, "message") if text(failure, "status") == "True" else "",
        document=found,
    )


def owned_by(found: Document, uid: str) -> bool:
    return any(text(each, "uid") == uid for each in rows(found, "metadata", "ownerReferences"))


def restated(
    owner: Owner, deployment: Document, *, replicas: int | None = None, version: Version | None = None
) -> Document:
    """A Deployment as it is, said by us: with another number of pods, or as it was at an earlier version.

    All of its fields are in it, also those that the server filled in. So nothing is lost to server-side apply, which
    takes away what its manager does not say any more.
    """
    annotations = texts(deployment, "metadata", "annotations")
    spec = dict(table(deployment, "spec"))
    if replicas is not None:
        spec["replicas"] = replicas
    if version is not None:
        spec["template"] = _plain(_template(version.document))
        annotations = texts(version.document, "metadata", "annotations")
    told = {CONFIGURATION: annotations[CONFIGURATION]} if CONFIGURATION in annotations else {}
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "metadata": {
            "name": name_of(deployment),
            "namespace": text(deployment, "metadata", "namespace"),
            "labels": owner.labels,
            "annotations": told,
        },
        "spec": spec,
    }


def mark(kube: Kube, version: Version, namespace: str, *, failed: bool) -> None:
    """Note on a version that it could not serve, or that it does after all: `rollback` and `history` look at it."""
    if failed != version.failed:
        kube.annotate(REPLICA_SET, version.name, namespace, {STATE: FAILED if failed else None})


def _template(replica_set: Document) -> Document:
    return table(replica_set, "spec", "template")


def _plain(template: Document) -> Document:
    """Without the label that the Deployment's controller adds to each of its ReplicaSets."""
    meta = table(template, "metadata")
    labels = {key: value for key, value in texts(meta, "labels").items() if key != HASH}
    kept = {key: value for key, value in meta.items() if key not in ("labels", "creationTimestamp")}
    return {**template, "metadata": {**kept, "labels": labels}}


def _sources(replica_set: Document) -> tuple[Document, ...]:
    containers = rows(_template(replica_set), "spec", "containers")
    return next((rows(each, "envFrom") for each in containers if text(each, "name") == CONTAINER), ())
