"""Azure on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one in the background."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.rehearsal import Rehearsal, playing

__all__ = ["PROGRAM", "AzureRehearsal", "Call", "Fault", "Kind", "Thing", "Transfer", "rehearsing"]

PROGRAM = "mldeploy.rehearsal.azure.server"


class AzureRehearsal(Rehearsal):
    """A rehearsal that takes orders about what Azure is like. They hold until the next reset."""

    def take(self, kind: str, name: str) -> None:
        """Somebody else in the world has this name. kind: `Microsoft.Web/sites`."""
        self.door.ask("POST taken", body={"type": kind, "name": name})

    def limit(self, tier: str, instances: int) -> None:
        """The subscription may have so many instances of a tier (`Basic`) in a region."""
        self.door.ask("POST limit", body={"tier": tier, "limit": instances})

    def keep_secret(self, uri: str, value: str) -> None:
        """A key vault holds a secret. uri: `https://VAULT.vault.azure.net/secrets/NAME`."""
        self.door.ask("POST secret", body={"uri": uri, "value": value})

    def fail_registry(self, code: str, message: str) -> None:
        """The next registry that somebody creates or changes is taken in, and fails then."""
        self.door.ask("POST failure", body={"code": code, "message": message})

    def unregister(self, namespace: str) -> None:
        """The subscription is not registered for a namespace (`Microsoft.Web`) any more."""
        self.door.ask("POST unregistered", body={"namespace": namespace})


@contextmanager
def rehearsing(folder: Path, *, containers: bool = True, pace: float = 0.0) -> Iterator[AzureRehearsal]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. containers: whether sites are containers on the engine; without, they
    answer `{}` to everything. pace: how many seconds whatever is long takes at least; what is new takes twice as long
    to be known everywhere.
    """
    options = [f"--pace={pace}", *([] if containers else ["--no-containers"])]
    with playing(folder, PROGRAM, options) as place:
        yield AzureRehearsal(place)
