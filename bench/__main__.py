"""`make bench`: measure and write docs/benchmarks.md; `python -m bench PART …` measures some of it anew.

Takes minutes; keep the machine quiet meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.figures import Measured, measured
from bench.parts import PARTS
from bench.plots import plots
from bench.programs import require
from bench.report import page
from bench.stock import pinned
from mldeploy.image.engine import Engine

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Measure the parts that are named, write their figures, and the page from all figures that there are."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write docs/benchmarks.md.")
    names = [part.name for part in PARTS]
    parser.add_argument("part", nargs="*", help=f"{', '.join(names)}, or page to measure nothing (default: all)")
    parser.add_argument("--rounds", type=int, help="instead of each part's own number")
    options = parser.parse_args()
    unknown = set(options.part) - {*names, "page"}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: {', '.join(names)}, page")
    chosen = [part for part in PARTS if part.name in options.part or not options.part]
    require(*sorted({program for part in chosen for program in part.programs}))
    client = Engine.connect().client
    if len(chosen) > 1:
        _say(f"All in all about {sum(part.minutes for part in chosen)} minutes.")
    for part in chosen:
        _say(f"Measuring {part.name}: about {part.minutes} minutes on two quiet cores …")
        begun = time.monotonic()
        figures = part.measure(client, options.rounds or part.rounds)
        measured(client, time.monotonic() - begun, figures).write(_file(part.name))
    kept = {part.name: Measured.read(_file(part.name)) for part in PARTS}
    versions = {name: pinned(name) for name in ("mlflow", "bentoml")}
    (DOCS / "benchmarks.md").write_text(page(kept, versions), encoding="utf-8")
    for name, plot in plots(kept).items():
        (DOCS / "media" / name).write_text(plot, encoding="utf-8")
    _say(f"Wrote {DOCS / 'benchmarks.md'}")


def _file(part: str) -> Path:
    return DOCS / "bench" / f"{part}.json"


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


main()
