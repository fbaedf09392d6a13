"""The tutorials' way: a Dockerfile written by hand, and Flask's own server."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from bench.contestants.contestant import Edit, Question, append, question, run, table
from bench.stock import PEERS, copy


class Tutorials:
    """Everything added first, then installed."""

    name = "the tutorials"
    port = 5000

    def __init__(self, model: Path, scratch: Path) -> None:
        self._folder = copy(model, scratch / "tutorials")
        (self._folder / "mldeploy.toml").unlink()
        shutil.copy(PEERS / "tutorials.Dockerfile", self._folder / "Dockerfile")

    def build(self, base: str) -> str:
        image = f"mldeploy-bench/tutorials:{uuid.uuid4().hex[:12]}"
        run(["docker", "build", "--build-arg", f"BASE={base}", "--tag", image, "."], self._folder)
        return image

    def edit(self, what: Edit) -> None:
        file = {Edit.CODE: "app.py", Edit.MODEL: "model.joblib"}[what]
        append(self._folder / file, f"\n# {uuid.uuid4()}\n".encode())

    def ask(self, rows: int) -> Question:
        return question("/predict", table(rows))
