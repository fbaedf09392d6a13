"""How long the command line takes to start."""

from __future__ import annotations

import sys
from functools import partial

from bench.pairs import Pair, in_turn, quietly
from bench.subject import MLDEPLOY, ROOT


def start_up(runs: int) -> Pair:
    """`mldeploy --help` against the smallest Typer program's `--help`."""
    hello = str(ROOT / "bench" / "hello.py")
    return in_turn(partial(quietly, MLDEPLOY, "--help"), partial(quietly, sys.executable, hello, "--help"), runs)
