"""The AWS stand-in. Tests start one with `rehearsing`, users with `mldeploy rehearse`."""

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
    "LoggedCall",
    "RegistryTransfer",
    "Rehearsal",
    "StandInObject",
    "rehearsing",
]

PROGRAM = "mldeploy.rehearsal.aws.server"


@contextmanager
def rehearsing(
    folder: Path, *, stock: bool = False, harsh: bool = False, containers: bool = True, pace: float = 0.0
) -> Iterator[Rehearsal]:
    """Run a rehearsal until the block ends or this process is killed.

    folder: created, and removed at the end. stock: unmodified moto behind the gateway, without a registry, to prove
    that a provider does not depend on this stand-in. harsh: a new account in a busy region (`harsh.py`). containers:
    run tasks as containers on the engine; otherwise they are simulated as healthy and answer `{}`. pace: minimum
    seconds per phase of a task; a new role takes two phases to propagate.
    """
    flags = [name for name, given in (("stock", stock), ("harsh", harsh), ("no-containers", not containers)) if given]
    options = [f"--pace={pace}", *(f"--{flag}" for flag in flags)]
    with run_rehearsal(folder, PROGRAM, options) as record, closing(Rehearsal(record)) as rehearsal:
        yield rehearsal
