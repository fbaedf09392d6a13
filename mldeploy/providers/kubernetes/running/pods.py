"""What is said of a Pod, as a value. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.providers.kubernetes.manifests.deployment import CONTAINER
from mldeploy.providers.kubernetes.reading import (
    Document,
    at,
    condition,
    name_of,
    number,
    rows,
    table,
    text,
    texts,
    uid_of,
)

HASH = "pod-template-hash"


@dataclass(frozen=True)
class Ended:
    """How a container ended. code: its exit code. reason: the cluster's word ("Error", "OOMKilled", "StartError")."""

    code: int
    reason: str
    message: str


@dataclass(frozen=True)
class Pod:
    """One copy of the app.

    phase: "Pending", "Running", "Succeeded", "Failed". waiting, message: why its container does not run. ended: how it
    ended, the last time if it runs again. unscheduled: why it has no node, "" if it has one. started: ISO 8601, UTC.
    """

    name: str
    uid: str
    version: str
    """The hash that its ReplicaSet's pods have in common."""
    phase: str
    ready: bool
    running: bool
    leaving: bool
    restarts: int
    waiting: str
    message: str
    ended: Ended | None
    ends_now: bool
    """Its container has ended and was not started again yet."""
    unscheduled: str
    created: str
    started: str
    image: str
    reason: str
    """Why the Pod as a whole failed: "Evicted"."""


def pod(found: Document) -> Pod:
    """What a server says of a Pod."""
    status = next((each for each in rows(found, "status", "containerStatuses") if text(each, "name") == CONTAINER), {})
    now, before = _ended(table(status, "state")), _ended(table(status, "lastState"))
    placed = condition(found, "PodScheduled")
    container = next((each for each in rows(found, "spec", "containers") if text(each, "name") == CONTAINER), {})
    return Pod(
        name=name_of(found),
        uid=uid_of(found),
        version=texts(found, "metadata", "labels").get(HASH, ""),
        phase=text(found, "status", "phase"),
        ready=text(condition(found, "Ready"), "status") == "True",
        running=at(status, "state", "running") is not None,
        leaving=bool(text(found, "metadata", "deletionTimestamp")),
        restarts=number(status, "restartCount"),
        waiting=text(status, "state", "waiting", "reason"),
        message=text(status, "state", "waiting", "message"),
        ended=now or before,
        ends_now=now is not None,
        unscheduled=_unscheduled(placed),
        created=text(found, "metadata", "creationTimestamp"),
        started=text(status, "state", "running", "startedAt"),
        image=text(container, "image"),
        reason=text(found, "status", "reason"),
    )


def pods(found: Iterable[Document]) -> tuple[Pod, ...]:
    """All of them, the newest first."""
    return tuple(sorted(map(pod, found), key=lambda each: (each.created, each.name), reverse=True))


def _ended(state: Document) -> Ended | None:
    if at(state, "terminated") is None:
        return None
    end = table(state, "terminated")
    return Ended(number(end, "exitCode"), text(end, "reason"), text(end, "message"))


def _unscheduled(placed: Document) -> str:
    if text(placed, "status") != "False":
        return ""
    return text(placed, "message") or text(placed, "reason") or "no reason is given"
