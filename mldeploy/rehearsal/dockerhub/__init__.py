"""The Docker Hub stand-in: `rehearsing` starts one for a test, `mldeploy rehearse` keeps one running."""

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
    "HubRehearsal",
    "LoggedCall",
    "RegistryTransfer",
    "Rehearsal",
    "StandInObject",
    "rehearsing",
]

PROGRAM = "mldeploy.rehearsal.dockerhub.server"


class HubRehearsal(Rehearsal):
    """A rehearsal of Docker Hub with its specific conditions. `reset` reverts all of them."""

    def give_token(self, scope: str, *, organization: bool = False) -> str:
        """Issue another access token of the user or of the organization. scope: `repo:read`."""
        return str(self.control.send("POST token", body={"scope": scope, "organization": organization}))

    def limit_private(self, count: int) -> None:
        """Set the number of private repositories that a namespace may have."""
        self.control.send("POST limit", body={"private": count})

    def leave_pulls(self, count: int) -> None:
        """Set the number of pulls that remain in the rate limit window."""
        self.control.send("POST pulls", body={"left": count})

    def set_retry_after(self, seconds: float) -> None:
        """Set the wait that a throttled response (`FaultKind.THROTTLE`) requests."""
        self.control.send("POST wait", body={"seconds": seconds})

    def set_deletion_delay(self, seconds: float) -> None:
        """Set the seconds that the deletion of a repository takes."""
        self.control.send("POST linger", body={"seconds": seconds})

    def expire_tokens(self) -> None:
        """Invalidate all short-lived tokens."""
        self.control.send("POST expire")


@contextmanager
def rehearsing(folder: Path, *, pace: float = 0.0) -> Iterator[HubRehearsal]:
    """Run a rehearsal until the block ends, or until this process is killed.

    folder: created, and removed at the end. pace: seconds that the deletion of a repository takes.
    """
    with run_rehearsal(folder, PROGRAM, [f"--pace={pace}"]) as record, closing(HubRehearsal(record)) as rehearsal:
        yield rehearsal
