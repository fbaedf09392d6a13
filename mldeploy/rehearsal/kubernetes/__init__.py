"""Kubernetes on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.rehearsal import Rehearsal, playing

__all__ = ["PROGRAM", "Call", "Fault", "Kind", "KubernetesRehearsal", "Thing", "Transfer", "rehearsing"]

PROGRAM = "mldeploy.rehearsal.kubernetes.server"


class KubernetesRehearsal(Rehearsal):
    """A cluster that runs, and what can be ordered of it."""

    def expire(self) -> None:
        """Let the API server forget what has changed: watches end with 410."""
        self.door.ask("POST expire")

    def restart(self, seconds: float) -> None:
        """Let the API server go away: its connections break, and for so long it answers nobody."""
        self.door.ask("POST restart", query={"seconds": str(seconds)})

    def lack(self, group: str) -> None:
        """Let the cluster not know an API group, `gateway.networking.k8s.io`, until it is reset."""
        self.door.ask("POST lack", query={"group": group})


@contextmanager
def rehearsing(folder: Path, *, containers: bool = True, pace: float = 0.0) -> Iterator[KubernetesRehearsal]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. containers: whether Pods are containers on the engine; without, they are
    ready and answer `{}` to everything. pace: how many seconds each phase of a thing's life takes at least.
    """
    with playing(folder, PROGRAM, [f"--pace={pace}", *([] if containers else ["--no-containers"])]) as place:
        yield KubernetesRehearsal(place)
