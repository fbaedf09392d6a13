"""mldeploy, as a user runs it."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contestants.contestant import Edit, Question, append, question, run, table
from bench.stock import copy

PROGRAM = str(Path(sys.executable).with_name("mldeploy"))


class Mldeploy:
    """The stock app under a name of its own, with a state folder of its own."""

    name = "mldeploy"
    port = 5000

    def __init__(self, model: Path, scratch: Path) -> None:
        self._folder = copy(model, scratch / "mldeploy")
        self._environment = {
            "MLDEPLOY_APP_NAME": f"bench-{uuid.uuid4().hex[:8]}",
            "MLDEPLOY_TARGET_LOCAL_PORT": "0",
            "XDG_STATE_HOME": str(scratch / "state"),
        }

    def command(self, *arguments: str) -> dict[str, object]:
        """Run one command with --json and return its document. RuntimeError if it fails."""
        out = run([PROGRAM, *arguments, "--json"], self._folder, self._environment)
        document: dict[str, object] = json.loads(out)
        return document

    def build(self, base: str) -> str:
        self._environment["MLDEPLOY_BUILD_BASE_IMAGE"] = base
        # The builder that all have, and no check: no other tool looks at what it has built.
        image = self.command("build", "--no-check", "--builder=classic")["image"]
        if not isinstance(image, dict):
            raise TypeError(f"`mldeploy build` told of no image, but of {image!r}")
        return str(image["reference"])

    def edit(self, what: Edit) -> None:
        file = {Edit.CODE: "app.py", Edit.MODEL: "model.joblib"}[what]
        append(self._folder / file, f"\n# {uuid.uuid4()}\n".encode())

    def ask(self, rows: int) -> Question:
        return question("/predict", table(rows))


@contextmanager
def mldeploy(model: Path, scratch: Path) -> Iterator[Mldeploy]:
    """Ours, whatever it made gone from the engine afterwards."""
    made = Mldeploy(model, scratch)
    try:
        yield made
    finally:
        made.command("destroy", "--yes")
