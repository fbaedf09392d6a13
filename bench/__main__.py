"""`make bench`: measure everything and write docs/benchmarks.md. Takes minutes; keep the machine quiet meanwhile."""

from __future__ import annotations

import os
import sys

from docker import APIClient

from bench.commands import start_up
from bench.images import measure
from bench.report import page
from bench.subject import ROOT
from mldeploy.image.engine import Engine

RUNS = 7
COLD_RUNS = 5


def main() -> None:
    """Measure, write the page, and say where it is."""
    client = Engine.connect().client
    sys.stderr.write("Measuring the command line …\n")
    started = start_up(RUNS * 3)
    sys.stderr.write("Measuring images and deployments …\n")
    figures = measure(client, RUNS, COLD_RUNS)
    target = ROOT / "docs" / "benchmarks.md"
    target.write_text(page(_machine(client), started, figures), encoding="utf-8")
    sys.stderr.write(f"Wrote {target}\n")


def _machine(client: APIClient) -> str:
    version = client.version()["Version"]
    return f"{os.cpu_count()} CPUs, Docker Engine {version}, Python {sys.version.split()[0]}"


main()
