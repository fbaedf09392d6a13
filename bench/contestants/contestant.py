"""What is asked of everything that is measured beside each other: to build, to be edited, and to answer a table."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

COLUMNS = ("age", "sex", "bmi", "children", "smoker", "region")
ROW = (44, "female", 27.5, 1, "no", "northwest")

# What programs started here inherit. Without bytecode, a program that may be changed in place is compiled anew at every
# start, which no installed program is; with the classic builder, all contestants build in the same way.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "DOCKER_BUILDKIT": "0",
    "DOCKER_CLI_HINTS": "false",
}


class Edit(Enum):
    """What somebody changes between two builds."""

    CODE = "code"
    MODEL = "model"


@dataclass(frozen=True)
class Question:
    """A POST request with a JSON body; its path begins with a slash."""

    path: str
    body: str


class Contestant(Protocol):
    """One way from the stock model to an image that serves it."""

    @property
    def name(self) -> str:
        """As a table's heading calls it."""

    @property
    def port(self) -> int:
        """Where its container listens."""

    def build(self, base: str) -> str:
        """Build on a base image with whatever the tool has cached; the image's name. RuntimeError if it fails."""

    def edit(self, what: Edit) -> None:
        """Change the code or the model, differently each time, so that the next build has something to do."""

    def ask(self, rows: int) -> Question:
        """The request for so many predictions; the answer's JSON holds them under "predictions"."""


def table(rows: int) -> dict[str, object]:
    """So many people, in the form that most contestants read."""
    return {"columns": COLUMNS, "data": [ROW] * rows}


def question(path: str, document: dict[str, object]) -> Question:
    """A request with that document as its body."""
    return Question(path, json.dumps(document))


def append(file: Path, content: bytes) -> None:
    """Add to the end of a file; what follows a pickle's end is not read."""
    with file.open("ab") as opened:
        opened.write(content)


def run(command: Iterable[object], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a contestant's command in its folder; its stdout. RuntimeError with its last words if it fails."""
    words = [str(word) for word in command]
    ran = subprocess.run(
        words, cwd=folder, env={**ENVIRONMENT, **(environment or {})},
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{(ran.stdout + ran.stderr)[-2000:]}")
    return ran.stdout
