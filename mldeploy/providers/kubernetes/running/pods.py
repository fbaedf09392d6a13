"""Parse pods. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.providers.kubernetes.documents import (
    Document,
    condition,
    get_path,
    name_of,
    number,
    rows,
    table,
    text,
    texts,
    uid_of,
)
from mldeploy.providers.kubernetes.manifests.workload import CONTAINER

HASH = "pod-template-hash"


@dataclass(frozen=True)
class PodExit:
    """How a container ended. code: its exit code. reason: "Error", "OOMKilled", "StartError"."""

    code: int
    reason: str
    message: str


@dataclass(frozen=True)
class Pod:
    """One pod of the app.

    phase: "Pending", "Running", "Succeeded", "Failed". waiting, message: why its container does not run. ended: how it
    ended, the last time if it runs again. unscheduled: why it has no node, "" if it has one. started: ISO 8601, UTC.
    """

    name: str
    uid: str
    version: str
    """The pod template hash of its ReplicaSet."""
    phase: str
    ready: bool
    running: bool
    leaving: bool
    restarts: int
    waiting: str
    message: str
    ended: PodExit | None
    ends_now: bool
    """The container has ended and was not restarted yet."""
    unscheduled: str
    created: str
    started: str
    image: str
    reason: str
    """Why the pod as a whole failed: "Evicted"."""


def parse_pod(document: Document) -> Pod:
    """Parse a pod."""
    status = next(
        (each for each in rows(document, "status", "containerStatuses") if text(each, "name") == CONTAINER), {}
    )
    now, before = _parse_exit(table(status, "state")), _parse_exit(table(status, "lastState"))
    scheduled = condition(document, "PodScheduled")
    container = next((each for each in rows(document, "spec", "containers") if text(each, "name") == CONTAINER), {})
    return Pod(
        name=name_of(document),
        uid=uid_of(document),
        version=texts(document, "metadata", "labels").get(HASH, ""),
        phase=text(document, "status", "phase"),
        ready=text(condition(document, "Ready"), "status") == "True",
        running=get_path(status, "state", "running") is not None,
        leaving=bool(text(document, "metadata", "deletionTimestamp")),
        restarts=number(status, "restartCount"),
        waiting=text(status, "state", "waiting", "reason"),
        message=text(status, "state", "waiting", "message"),
        ended=now or before,
        ends_now=now is not None,
        unscheduled=_unscheduled_reason(scheduled),
        created=text(document, "metadata", "creationTimestamp"),
        started=text(status, "state", "running", "startedAt"),
        image=text(container, "image"),
        reason=text(document, "status", "reason"),
    )


def parse_pods(documents: Iterable[Document]) -> tuple[Pod, ...]:
    """Parse pods, the newest first."""
    return tuple(sorted(map(parse_pod, documents), key=lambda each: (each.created, each.name), reverse=True))


def _parse_exit(state: Document) -> PodExit | None:
    if get_path(state, "terminated") is None:
        return None
    end = table(state, "terminated")
    return PodExit(number(end, "exitCode"), text(end, "reason"), text(end, "message"))


def _unscheduled_reason(scheduled: Document) -> str:
    if text(scheduled, "status") != "False":
        return ""
    return text(scheduled, "message") or text(scheduled, "reason") or "no reason is given"
