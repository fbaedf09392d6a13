"""Kubernetes stand-in: `rehearsing` starts one for a test, `mldeploy rehearse` keeps one running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mldeploy.rehearsal.client import Rehearsal, run_rehearsal
from mldeploy.rehearsal.gateway.call_log import LoggedCall
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.rehearsal.gateway.proxy import RegistryTransfer, StandInObject

__all__ = [
    "PROGRAM",
    "FaultKind",
    "FaultOrder",
    "KubernetesRehearsal",
    "LoggedCall",
    "RegistryTransfer",
    "StandInObject",
    "rehearsing",
]

PROGRAM = "mldeploy.rehearsal.kubernetes.server"


class KubernetesRehearsal(Rehearsal):
    """A running cluster and its control commands."""

    def expire(self) -> None:
        """Discard the API server's change history: watches end with 410."""
        self.control.send("POST expire")

    def restart(self, seconds: float) -> None:
        """Restart the API server: its connections break, and it is unavailable for `seconds`."""
        self.control.send("POST restart", query={"seconds": str(seconds)})

    def used_permissions(self) -> frozenset[str]:
        """What roles have allowed since the start, such as `patch deployments.apps`."""
        return frozenset(self.control.send("GET permissions"))

    def lack(self, group: str) -> None:
        """Disable an API group, such as `gateway.networking.k8s.io`, until the next reset."""
        self.control.send("POST lack", query={"group": group})


@contextmanager
def rehearsing(
    folder: Path, *, containers: bool = True, pace: float = 0.0, harsh: bool = False
) -> Iterator[KubernetesRehearsal]:
    """Run a rehearsed cluster until the block ends, or until this process is killed.

    folder: created, and deleted at the end. containers: run Pods as containers on the engine; otherwise Pods are ready
    at once and respond `{}`. pace: minimum seconds of each lifecycle phase. harsh: see `harshness`.
    """
    flags = [*([] if containers else ["--no-containers"]), *(["--harsh"] if harsh else [])]
    options = [f"--pace={pace}", *flags]
    with run_rehearsal(folder, PROGRAM, options) as record, closing(KubernetesRehearsal(record)) as rehearsal:
        yield rehearsal
