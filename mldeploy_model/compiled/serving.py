"""Which path serves a model: the compiled one if a proof beside the model says that both predict the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mldeploy_model.predictor import ModelLoadError

if TYPE_CHECKING:
    from mldeploy_model.compiled.model import CompiledModel
    from mldeploy_model.compiled.proof import Effort, Proof
    from mldeploy_model.schema import ModelSchema

PROOFS = Path(".mldeploy") / "proofs.json"  # below the app's folder, as models.json
PLANS = Path(".mldeploy") / "plans"
_BUILD_AGAIN = "Build the image again"
logger = logging.getLogger("mldeploy_model")


def prove_model(estimator: Any, schema: ModelSchema, tolerance: float = 0.0, effort: Effort | None = None) -> Proof:
    """Compile a fitted model and compare both paths. A model that cannot be compiled is not equal, with the reason."""
    from mldeploy_model.compiled.model import compile_model
    from mldeploy_model.compiled.operations import NotCompilableError
    from mldeploy_model.compiled.proof import FULL_EFFORT, Proof, library_versions, prove

    try:
        compiled = compile_model(estimator, schema.columns)
    except NotCompilableError as error:
        return Proof(equal=False, rows=0, reason=f"{error}", tolerance=tolerance, versions=library_versions())
    return prove(compiled, estimator, schema, schema.sample, tolerance=tolerance, effort=effort or FULL_EFFORT)


def prove_plan(
    estimator: Any, schema: ModelSchema, tolerance: float = 0.0, effort: Effort | None = None
) -> tuple[Proof, bytes]:
    """The proof of the plan that needs NumPy alone, and the plan; without the plan if they are not equal."""
    from mldeploy_model.compiled.isolated import IsolatedPlan
    from mldeploy_model.compiled.model import MINIMAL, compile_model
    from mldeploy_model.compiled.operations import NotCompilableError
    from mldeploy_model.compiled.proof import FULL_EFFORT, Proof, library_versions, prove
    from mldeploy_model.compiled.standalone import dump_plan

    try:
        compiled = compile_model(estimator, schema.columns)
        content = dump_plan(compiled)
    except NotCompilableError as error:
        return Proof(False, 0, reason=f"{error}", versions=library_versions(), runtime=MINIMAL), b""
    with closing(IsolatedPlan(compiled, content)) as apart:
        tried = effort or FULL_EFFORT
        proof = prove(apart, estimator, schema, schema.sample, tolerance=tolerance, effort=tried)
    return proof, content if proof.equal else b""


def find_plan_obstacle(estimator: Any, schema: ModelSchema) -> str:
    """Why NumPy alone cannot compute a model; "" if nothing is known that is in the way of the proof."""
    from mldeploy_model.compiled.model import compile_model
    from mldeploy_model.compiled.operations import NotCompilableError
    from mldeploy_model.compiled.standalone import dump_plan

    try:
        dump_plan(compile_model(estimator, schema.columns))
    except NotCompilableError as error:
        return f"{error}"
    return ""


def proven_model(estimator: Any, schema: ModelSchema, folder: Path) -> CompiledModel | None:
    """The compiled model, if there is a proof for it that was made with the libraries that are installed now."""
    proof = _read_proof(folder / PROOFS, schema.name)
    if not proof.get("equal"):
        return None
    from mldeploy_model.compiled.model import compile_model
    from mldeploy_model.compiled.operations import NotCompilableError
    from mldeploy_model.compiled.proof import library_versions

    if proof.get("versions") != library_versions():
        logger.warning("%s: the compiled path was proved with other versions; the model's own path serves", schema.name)
        return None
    try:
        return compile_model(estimator, schema.columns)
    except NotCompilableError as error:
        logger.warning("%s: the model's own path serves: %s", schema.name, error)
        return None


def planned_model(schema: ModelSchema, folder: Path) -> CompiledModel | None:
    """The plan of an image without the model's libraries; None if the image has none for this model.

    Raises ModelLoadError for a plan that cannot be read, or that was proved with another NumPy or kind of processor.
    """
    file = folder / PLANS / f"{schema.name}.plan"
    if not file.exists():
        return None
    from mldeploy_model.compiled.standalone import load_plan

    try:
        plan = load_plan(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{file.name} does not load: {error}", _BUILD_AGAIN) from None
    proved = _read_proof(folder / PROOFS, schema.name).get("versions", {})
    installed = _computing_versions()
    other = next((name for name, version in installed.items() if proved.get(name) != version), "")
    if other:
        what = f"{schema.name} was proved with {other} {proved.get(other)}, and {installed[other]} is there"
        raise ModelLoadError(what, _BUILD_AGAIN)
    return plan


def _computing_versions() -> dict[str, str]:
    """Of what a plan is computed with."""
    import platform

    import numpy as np

    return {"machine": platform.machine(), "numpy": np.__version__}


def _read_proof(path: Path, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    proof = document.get(name) if isinstance(document, dict) else None
    return proof if isinstance(proof, dict) else {}
