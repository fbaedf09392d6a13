"""Which path serves a model: the compiled one if a proof beside the model says that both predict the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mldeploy_model.compiled.model import CompiledModel
    from mldeploy_model.compiled.proof import Effort, Proof
    from mldeploy_model.schema import ModelSchema

PROOFS = Path(".mldeploy") / "proofs.json"  # below the app's folder, as models.json
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


def _read_proof(path: Path, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    proof = document.get(name) if isinstance(document, dict) else None
    return proof if isinstance(proof, dict) else {}
