"""Docker Hub on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.rehearsal import Rehearsal, playing

__all__ = ["PROGRAM", "Call", "Fault", "HubRehearsal", "Kind", "Rehearsal", "Thing", "Transfer", "rehearsing"]

PROGRAM = "mldeploy.rehearsal.dockerhub.server"


class HubRehearsal(Rehearsal):
    """A rehearsal of Docker Hub, with the orders that only this one understands. `reset` takes all of them back."""

    def give_token(self, scope: str, *, organization: bool = False) -> str:
        """Another access token of the user's, or one of the organization's own. scope: `repo:read`."""
        return str(self.door.ask("POST token", body={"scope": scope, "organization": organization}))

    def limit_private(self, count: int) -> None:
        """Let each namespace have so many private repositories."""
        self.door.ask("POST limit", body={"private": count})

    def leave_pulls(self, count: int) -> None:
        """Let so many pulls be left."""
        self.door.ask("POST pulls", body={"left": count})

    def ask_to_wait(self, seconds: float) -> None:
        """Let whoever asks too often (`Kind.THROTTLE`) be told to wait so long."""
        self.door.ask("POST wait", body={"seconds": seconds})

    def linger(self, seconds: float) -> None:
        """Let the removal of a repository take so long."""
        self.door.ask("POST linger", body={"seconds": seconds})

    def expire_tokens(self) -> None:
        """Let no short-lived token that has been given out be good any more."""
        self.door.ask("POST expire")


@contextmanager
def rehearsing(folder: Path, *, pace: float = 0.0) -> Iterator[HubRehearsal]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. pace: how many seconds the removal of a repository takes.
    """
    with playing(folder, PROGRAM, [f"--pace={pace}"]) as place:
        yield HubRehearsal(place)
