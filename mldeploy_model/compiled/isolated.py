"""A plan in a process that can import NumPy and this package alone, as the image of `runtime = "minimal"` has them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from typing import Any

from mldeploy_model.compiled.model import MINIMAL, CompiledModel

PACKAGES = ("numpy", "mldeploy_model")
_PROGRAM = "from mldeploy_model.compiled.isolated import serve; serve()"
_END_SECONDS = 10
_STANDARD = getattr(sys, "stdlib_module_names", None)  # since Python 3.10
_LIBRARIES = ("catboost", "joblib", "lightgbm", "pandas", "scipy", "sklearn", "xgboost")


class IsolatedPlan(CompiledModel):
    """The plan of a compiled model in a process of its own, until it is closed. What it refuses is a ValueError."""

    runtime = MINIMAL

    def __init__(self, compiled: CompiledModel, content: bytes) -> None:
        super().__init__(compiled.inputs, compiled.plan, compiled.stock_parts)
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._ask(content)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]

    def predict_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        """What the plan predicts."""
        return self._ask(("predict_array", columns, rows))

    def probability_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        """The probabilities."""
        return self._ask(("probability_array", columns, rows))

    def _ask(self, request: object) -> Any:
        try:
            pickle.dump(request, self._process.stdin)  # type: ignore[arg-type]
            self._process.stdin.flush()  # type: ignore[union-attr]
            error, result = pickle.load(self._process.stdout)  # type: ignore[arg-type]
        except (OSError, EOFError) as broken:
            raise ValueError("the process with the plan ended") from broken
        if error:
            raise ValueError(error)
        return result


class OnlyNumpy(MetaPathFinder):
    """Refuses every package but the standard library, NumPy and this one."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raises ModuleNotFoundError for a package that a minimal image does not have."""
        root = name.partition(".")[0]
        if root not in PACKAGES and (root in _LIBRARIES if _STANDARD is None else root not in _STANDARD):
            raise ModuleNotFoundError(f"No module named {name!r} in a minimal image", name=name)


def serve() -> None:
    """Answer the calls of an `IsolatedPlan` on standard input and output, until the input ends."""
    sys.meta_path.insert(0, OnlyNumpy())
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    from mldeploy_model.compiled.standalone import load_plan

    plan: Any = None
    with suppress(EOFError):
        while True:
            request = pickle.load(sys.stdin.buffer)
            try:
                if plan is None:
                    plan, result = load_plan(request), None
                else:
                    name, columns, rows = request
                    result = getattr(plan, name)(columns, rows)
                answer = ("", result)
            except Exception as error:  # noqa: BLE001 - that the plan refuses the row is the answer
                answer = (f"{type(error).__name__}: {error}"[:300], None)
            pickle.dump(answer, answers)
            answers.flush()
