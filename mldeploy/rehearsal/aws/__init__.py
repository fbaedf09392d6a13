"""AWS on this machine: `rehearsing` gives a test one of its own, `mldeploy rehearse` keeps one in the background."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import Thing, Transfer
from mldeploy.rehearsal.door.ledger import Call
from mldeploy.rehearsal.rehearsal import Rehearsal, playing

__all__ = ["PROGRAM", "Call", "Fault", "Kind", "Rehearsal", "Thing", "Transfer", "rehearsing"]

PROGRAM = "mldeploy.rehearsal.aws.server"


@contextmanager
def rehearsing(folder: Path, *, stock: bool = False, containers: bool = True, pace: float = 0.0) -> Iterator[Rehearsal]:
    """A rehearsal of one's own until the block ends; also when our process is killed.

    folder: it is made, and removed at the end. stock: moto as it is, without anything of ours but the front door, to
    prove that a provider says nothing that only our stand-in would understand; nothing can be pushed then. containers:
    whether tasks are containers on the engine; without, they are healthy and answer `{}` to everything. pace: how many
    seconds each of a task's phases takes at least; a new role takes twice as long to be known everywhere.
    """
    options = [f"--pace={pace}", *(["--stock"] if stock else []), *([] if containers else ["--no-containers"])]
    with playing(folder, PROGRAM, options) as place:
        yield Rehearsal(place)
