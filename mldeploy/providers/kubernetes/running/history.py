"""The revisions of an app: the ReplicaSets of its Deployment, and their state.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.providers.kubernetes.api import DEPLOYMENT, REPLICA_SET, KubeClient
from mldeploy.providers.kubernetes.documents import (
    Document,
    applied_fields,
    condition,
    name_of,
    number,
    rows,
    table,
    text,
    texts,
    uid_of,
)
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.workload import CONFIGURATION, CONTAINER
from mldeploy.providers.kubernetes.running.pods import HASH

REVISION = "deployment.kubernetes.io/revision"
STATE = "mldeploy.state"
FAILED = "failed"
"""The value of the annotation `mldeploy.state` of a revision that could not serve."""


@dataclass(frozen=True)
class ReplicaSetRevision:
    """One ReplicaSet. number: its revision. image: by digest. created: ISO 8601, UTC. available: pods that serve.

    refused: why no pod could be created, "" without an error.
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
        held = {
            text(each, part, "name")
            for each in _environment_sources(self.document)
            for part in ("configMapRef", "secretRef")
        }
        return frozenset(held - {""})


def parse_revisions(replica_sets: Iterable[Document], deployment: Document) -> tuple[ReplicaSetRevision, ...]:
    """Return a Deployment's revisions, the newest first."""
    mine = (parse_revision(each) for each in replica_sets if is_owned_by(each, uid_of(deployment)))
    return tuple(sorted(mine, key=lambda each: (each.number, each.created), reverse=True))


def list_revisions(
    kube: KubeClient, owner: Owner, namespace: str, deployment: Document
) -> tuple[ReplicaSetRevision, ...]:
    """Fetch a Deployment's revisions, the newest first."""
    return parse_revisions(kube.select(REPLICA_SET, namespace, owner.selector), deployment)


def current_revision(revisions: Iterable[ReplicaSetRevision], deployment: Document) -> ReplicaSetRevision | None:
    """Return the Deployment's current revision; None until its controller has observed the latest change."""
    if number(deployment, "status", "observedGeneration") < number(deployment, "metadata", "generation"):
        return None
    return next((each for each in revisions if each.number == revision_number(deployment)), None)


def revision_number(document: Document) -> int:
    """Return the revision number of a Deployment or a ReplicaSet; 0 if it has none yet."""
    value = texts(document, "metadata", "annotations").get(REVISION, "")
    return int(value) if value.isdecimal() else 0


def is_rolled_out(deployment: Document) -> bool:
    """Whether all pods have the newest version and serve, as in `kubectl rollout status`."""
    replicas = number(deployment, "spec", "replicas")
    status = table(deployment, "status")
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    seen = number(status, "observedGeneration") >= number(deployment, "metadata", "generation")
    return seen and all(number(status, each) == replicas for each in counts)


def parse_revision(replica_set: Document) -> ReplicaSetRevision:
    """Parse a ReplicaSet."""
    failure = condition(replica_set, "ReplicaFailure")
    container = next((each for each in rows(_template(replica_set), "spec", "containers")), {})
    return ReplicaSetRevision(
        number=revision_number(replica_set),
        name=name_of(replica_set),
        uid=uid_of(replica_set),
        hash=texts(replica_set, "metadata", "labels").get(HASH, ""),
        image=text(container, "image"),
        created=text(replica_set, "metadata", "creationTimestamp"),
        failed=texts(replica_set, "metadata", "annotations").get(STATE) == FAILED,
        available=number(replica_set, "status", "availableReplicas"),
        refused=text(failure, "message") if text(failure, "status") == "True" else "",
        document=replica_set,
    )


def is_owned_by(document: Document, uid: str) -> bool:
    return any(text(each, "uid") == uid for each in rows(document, "metadata", "ownerReferences"))


def build_update(
    owner: Owner, deployment: Document, *, replicas: int | None = None, version: ReplicaSetRevision | None = None
) -> Document:
    """Return the manifest of a Deployment with another number of pods, or with the template of an earlier revision.

    It contains all fields, also the server's defaults: server-side apply removes fields that the manager no longer
    sends.
    """
    labels, annotations = (applied_metadata(deployment, each) for each in ("labels", "annotations"))
    current = texts((version.document if version else deployment), "metadata", "annotations").get(CONFIGURATION)
    spec = dict(table(deployment, "spec"))
    if replicas is not None:
        spec["replicas"] = replicas
    if version is not None:
        spec["template"] = _without_hash_label(_template(version.document))
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "metadata": {
            "name": name_of(deployment),
            "namespace": text(deployment, "metadata", "namespace"),
            "labels": {**labels, **owner.labels},
            "annotations": {**annotations, CONFIGURATION: current} if current else annotations,
        },
        "spec": spec,
    }


def applied_metadata(document: Document, name: str) -> dict[str, str]:
    """Return the labels or annotations that mldeploy has applied."""
    fields = table(applied_fields(document), "f:metadata", f"f:{name}")
    return {key: value for key, value in texts(document, "metadata", name).items() if f"f:{key}" in fields}


def annotate_state(kube: KubeClient, version: ReplicaSetRevision, namespace: str, *, failed: bool) -> None:
    """Annotate a revision that could not serve, or remove the annotation. `rollback` and `history` read it."""
    if failed != version.failed:
        kube.annotate(REPLICA_SET, version.name, namespace, {STATE: FAILED if failed else None})


def _template(replica_set: Document) -> Document:
    return table(replica_set, "spec", "template")


def _without_hash_label(template: Document) -> Document:
    """Return a pod template without the label that the Deployment's controller adds."""
    meta = table(template, "metadata")
    labels = {key: value for key, value in texts(meta, "labels").items() if key != HASH}
    kept = {key: value for key, value in meta.items() if key not in ("labels", "creationTimestamp")}
    return {**template, "metadata": {**kept, "labels": labels}}


def _environment_sources(replica_set: Document) -> tuple[Document, ...]:
    containers = rows(_template(replica_set), "spec", "containers")
    return next((rows(each, "envFrom") for each in containers if text(each, "name") == CONTAINER), ())
