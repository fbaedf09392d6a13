"""Google Cloud on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.rehearsal import Rehearsal, playing

__all__ = ["PROGRAM", "Call", "Fault", "GcpRehearsal", "Kind", "Rehearsal", "Thing", "Transfer", "rehearsing"]

PROGRAM = "mldeploy.rehearsal.gcp.server"


class GcpRehearsal(Rehearsal):
    """A rehearsal of Google Cloud, with the orders that only this one understands. `reset` takes all of them back."""

    def fail_operation(self, kind: str, message: str, *, code: int = 8, seconds: float = 0.0) -> None:
        """Let the next operation of a kind (`CREATE_CLUSTER`) fail after so many seconds.

        code: of google.rpc.Code; 8: RESOURCE_EXHAUSTED.
        """
        body = {"type": kind, "message": message, "code": code, "seconds": seconds}
        self.door.ask("POST failures", body=body)

    def limit_quota(self, metric: str, limit: float) -> None:
        """Let every region have no more of a metric (`CPUS`, `IN_USE_ADDRESSES`, `SSD_TOTAL_GB`)."""
        self.door.ask("POST quotas", body={"metric": metric, "limit": limit})

    def expire_tokens(self) -> None:
        """Let no access token that has been given out be good any more."""
        self.door.ask("DELETE tokens")


@contextmanager
def rehearsing(folder: Path, *, containers: bool = True, pace: float = 0.0) -> Iterator[GcpRehearsal]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. containers: whether pods are containers on the engine; without, they
    are healthy and answer `{}` to everything. pace: how many seconds a phase of anything's life takes at least; a
    cluster is made in five of them.
    """
    options = [f"--pace={pace}", *([] if containers else ["--no-containers"])]
    with playing(folder, PROGRAM, options) as place:
        yield GcpRehearsal(place)
