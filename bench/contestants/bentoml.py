"""BentoML: `bentoml build` and `bentoml containerize`."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import yaml

from bench.contestants.contestant import Edit, Question, append, question, run, table
from bench.environments import environment
from bench.stock import PEERS, copy


class BentoML:
    """A service of two workers, its model from BentoML's store."""

    name = "BentoML"
    port = 3000

    def __init__(self, model: Path, scratch: Path) -> None:
        self._folder = copy(model, scratch / "bentoml", server=False)
        self._programs = environment("bentoml", PEERS / "bentoml.txt")
        shutil.copy(PEERS / "bentoml_service.py", self._folder / "service.py")
        self._environment = {
            "BENTOML_HOME": str(scratch / "bentoml-home"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        self._store()

    def build(self, base: str) -> str:
        image = f"mldeploy-bench/bentoml:{uuid.uuid4().hex[:12]}"
        settings = {
            "service": "service:Stock",
            "include": ["service.py"],
            "python": {"requirements_txt": "requirements.txt"},
            "docker": {"base_image": base, "python_version": "3.11"},
        }
        (self._folder / "bentofile.yaml").write_text(yaml.safe_dump(settings))
        self._bentoml("build")
        self._bentoml("containerize", "stock:latest", "--image-tag", image)
        return image

    def edit(self, what: Edit) -> None:
        file = {Edit.CODE: "service.py", Edit.MODEL: "model.joblib"}[what]
        append(self._folder / file, f"\n# {uuid.uuid4()}\n".encode())
        if what is Edit.MODEL:
            self._store()

    def ask(self, rows: int) -> Question:
        return question("/predict", table(rows))

    def _bentoml(self, *arguments: str) -> None:
        run([self._programs / "bentoml", *arguments], self._folder, self._environment)

    def _store(self) -> None:
        storing = [self._programs / "python", PEERS / "bentoml_store.py", "model.joblib"]
        run(storing, self._folder, self._environment)
