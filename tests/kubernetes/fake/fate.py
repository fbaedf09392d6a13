"""What becomes of a pod on fake."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects.store import now
from mldeploy.rehearsal.kubernetes.objects.types import Object


@dataclass(frozen=True)
class Fate:
    """serves: it becomes ready. The rest is why it does not.

    waiting: the word and the message of a container that does not run. ended: exit code and word of one that did.
    restarts: how often. unscheduled: why no node takes it. events: word and message of each. refused: why it cannot
    even be made. log: its lines. earlier: those of the run before, None for the same.
    """

    serves: bool = True
    waiting: tuple[str, str] | None = None
    ended: tuple[int, str] | None = None
    restarts: int = 0
    unscheduled: str = ""
    events: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    log: tuple[str, ...] = ()
    earlier: tuple[str, ...] | None = None


WELL = Fate(log=("Listening at: http://0.0.0.0:5000",))


def status(fate: Fate, image: str) -> Object:
    """The pod's status, once its fate has come."""
    if fate.unscheduled:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": fate.unscheduled}
        return {"phase": "Pending", "conditions": [condition]}
    ready = "True" if fate.serves else "False"
    return {
        "phase": "Running" if fate.serves or fate.waiting is None else "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}],
        "containerStatuses": [_container(fate, image)],
    }


def _container(fate: Fate, image: str) -> Object:
    made: Object = {
        "name": "app",
        "image": image,
        "imageID": image,
        "ready": fate.serves,
        "started": fate.serves,
        "restartCount": fate.restarts,
        "state": {"running": {"startedAt": now()}},
    }
    if fate.waiting:
        made["state"] = {"waiting": {"reason": fate.waiting[0], "message": fate.waiting[1]}}
    if fate.ended:
        code, reason = fate.ended
        made["lastState"] = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": now()}}
    return made
