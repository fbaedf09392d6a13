"""What images cost: their size, their building, what an edit makes a push carry."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from docker import APIClient

from bench.contestants.bentoml import BentoML
from bench.contestants.contestant import Contestant, Edit
from bench.contestants.mlflow import MLflow
from bench.contestants.ours import mldeploy
from bench.contestants.tutorials import Tutorials
from bench.engine import Base, fresh, remove, size
from bench.figures import Figures
from bench.pairs import seconds
from bench.registry import Registry, registry
from bench.stock import STOCK, trained

COLD, UNCHANGED, CODE, MODEL = "cold build", "no change", "after a code edit", "after a model edit"
SIZE, OVER_BASE, COMPRESSED = "size", "over the base", "compressed"
ATTEMPTS = 3
PUSHED_UNCHANGED, PUSHED_CODE, PUSHED_MODEL = "push, no change", "push, code edit", "push, model edit"


def against_tutorials(client: APIClient, rounds: int) -> Figures:
    """mldeploy and the tutorials' Dockerfile, in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        model = trained(scratch)
        ours = stack.enter_context(mldeploy(model, scratch))
        return _measure(client, (ours, Tutorials(model, scratch)), rounds, scratch)


def against_peers(client: APIClient, rounds: int) -> Figures:
    """mldeploy, MLflow and BentoML, in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        model = trained(scratch)
        ours = stack.enter_context(mldeploy(model, scratch))
        return _measure(client, (ours, MLflow(model, scratch), BentoML(model, scratch)), rounds, scratch)


def _measure(client: APIClient, contestants: Sequence[Contestant], rounds: int, scratch: Path) -> Figures:
    """Round by round, in turn. What a push carries does not vary: the first round tells it."""
    figures = Figures()
    with registry(client, scratch) as there:
        for number in range(rounds):
            for each in contestants:
                sys.stderr.write(f"  round {number + 1} of {rounds}: {each.name}\n")
                figures.join(_undisturbed(client, each, there if number == 0 else None))
    return figures


def _undisturbed(client: APIClient, contestant: Contestant, there: Registry | None) -> Figures:
    """A contestant's round, begun anew where the network spoilt it. RuntimeError if it does so again and again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _on_fresh(client, contestant, there)
        except RuntimeError as error:
            sys.stderr.write(f"  once more, since {str(error)[-500:]}\n")
    return _on_fresh(client, contestant, there)


def _on_fresh(client: APIClient, contestant: Contestant, there: Registry | None) -> Figures:
    with fresh(client, Base.chosen(STOCK)) as base:
        return _round(client, contestant, base, there)


def _round(client: APIClient, contestant: Contestant, base: str, there: Registry | None) -> Figures:
    """Build cold, once more, and after either edit, on an unused base; the images are gone afterwards."""
    figures = Figures()
    built: list[str] = []
    repository = base.rpartition(":")[2]

    def add(what: str, value: float) -> None:
        figures.add(what, contestant.name, value)

    def timed(what: str) -> None:
        add(what, seconds(lambda: built.append(contestant.build(base))))

    def pushed(what: str) -> None:
        if there:
            add(what, there.pushed(built[-1], repository))

    try:
        timed(COLD)
        add(SIZE, size(client, built[-1]))
        add(OVER_BASE, size(client, built[-1]) - size(client, base))
        pushed(COMPRESSED)
        timed(UNCHANGED)
        pushed(PUSHED_UNCHANGED)
        for edit, after, carried in ((Edit.CODE, CODE, PUSHED_CODE), (Edit.MODEL, MODEL, PUSHED_MODEL)):
            contestant.edit(edit)
            timed(after)
            pushed(carried)
    finally:
        for image in reversed(built):
            remove(client, image)
    return figures
