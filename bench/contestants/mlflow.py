"""MLflow: `mlflow models generate-dockerfile` and `docker build`, which is what `mlflow models build-docker` does.

In between, the first line is changed: `build-docker` cannot be told a base image, and wants the exact Python version of
the machine, `python:3.11.7-slim`, from a public registry.
"""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

from bench.contestants.contestant import Edit, Question, append, question, run, table
from bench.environments import environment
from bench.stock import PEERS, copy


class MLflow:
    """The scikit-learn model as a pyfunc, served by MLflow's own server behind nginx."""

    name = "MLflow"
    port = 8080

    def __init__(self, model: Path, scratch: Path) -> None:
        self._folder = copy(model, scratch / "mlflow", server=False)
        self._programs = environment("mlflow", PEERS / "mlflow.txt")
        code = self._folder / "helper.py"
        code.write_text('"""Code that travels with the model."""\n')
        saver = [self._programs / "python", PEERS / "mlflow_save.py", "model.joblib", code, "saved"]
        run(saver, self._folder, _QUIET)

    def build(self, base: str) -> str:
        image = f"mldeploy-bench/mlflow:{uuid.uuid4().hex[:12]}"
        context = self._folder / "context"
        shutil.rmtree(context, ignore_errors=True)
        generate = ["generate-dockerfile", "--model-uri", "saved", "--output-directory", "context"]
        run([self._programs / "mlflow", "models", *generate, "--env-manager", "local"], self._folder, _QUIET)
        recipe = context / "Dockerfile"
        recipe.write_text(re.sub(r"^FROM .*$", f"FROM {base}", recipe.read_text(), count=1, flags=re.MULTILINE))
        run(["docker", "build", "--tag", image, "."], context)
        return image

    def edit(self, what: Edit) -> None:
        file = {Edit.CODE: "code/helper.py", Edit.MODEL: "model.pkl"}[what]
        append(self._folder / "saved" / file, f"\n# {uuid.uuid4()}\n".encode())

    def ask(self, rows: int) -> Question:
        return question("/invocations", {"dataframe_split": table(rows)})


_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}
