"""How long the command line takes: to start, and where there is nothing or little to do."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from docker import APIClient

from bench.contestants.contestant import ENVIRONMENT, Edit
from bench.contestants.ours import PROGRAM, Mldeploy, mldeploy
from bench.figures import Figures
from bench.pairs import in_turn, repeated
from bench.stock import trained

HELP, BUILD, DEPLOY = "`--help`", "`build` with nothing to do", "`deploy` with nothing to do"
EDITED, GAP = "`deploy` after a code edit", "of which the port is silent"
OURS, HELLO = "mldeploy", "hello"


def measure(_: APIClient, rounds: int) -> Figures:
    """Start programs, and deploy the stock app on this machine."""
    figures = Figures()
    hello = str(Path(__file__).with_name("hello.py"))
    ours, theirs = partial(_quietly, PROGRAM, "--help"), partial(_quietly, sys.executable, hello, "--help")
    started = in_turn(ours, theirs, 3 * rounds)
    figures.add_all(HELP, OURS, started.ours.values)
    figures.add_all(HELP, HELLO, started.theirs.values)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with mldeploy(trained(scratch), scratch) as app:
            _deploy(app, rounds, figures)
    return figures


def _deploy(app: Mldeploy, rounds: int, figures: Figures) -> None:
    figures.add_all(BUILD, OURS, repeated(partial(app.command, "build"), rounds).values)
    app.command("deploy")
    figures.add_all(DEPLOY, OURS, repeated(partial(app.command, "deploy"), rounds).values)
    for _ in range(rounds):
        app.edit(Edit.CODE)
        begun = time.perf_counter()
        gap = app.command("deploy")["gap_seconds"]
        figures.add(EDITED, OURS, time.perf_counter() - begun)
        if isinstance(gap, (int, float)):
            figures.add(GAP, OURS, gap)


def _quietly(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
