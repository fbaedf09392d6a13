"""Move what an installation added to an environment elsewhere. Runs in the build: standard library, any Python 3.

    python3 package.py /venv /package

Of what uv notes beside a package, the times of its sources go: the same sources are the same layer.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

_NOTES = ("uv_cache.json", "uv_build.json")


def move_installed(environment: Path, target: Path) -> None:
    """Move the files that the records of the packages name."""
    for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        site = record.parent.parent
        with record.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row and not row[0].endswith(_NOTES)]
        with record.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        for row in rows:
            source = (site / row[0]).resolve()
            if source.is_relative_to(environment) and source.exists():
                goal = target / source.relative_to("/")
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(str(source), str(goal))


if __name__ == "__main__":
    move_installed(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
