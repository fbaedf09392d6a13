"""The model formats: one module each, behind `load_predictor` and `describe_model`.

A format's library is imported when one of its models is loaded, never before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mldeploy_model.predictor import Predictor
    from mldeploy_model.schema import ModelDescription, ModelSchema

__all__ = ["describe_model", "load_predictor"]


def load_predictor(schema: ModelSchema, folder: Path) -> Predictor:
    """Load a model whose path is relative to `folder`, or its plan. Raises ModelLoadError."""
    from mldeploy_model.compiled.serving import planned_model

    plan = planned_model(schema, folder)
    if plan is not None:
        return plan
    from mldeploy_model.formats.registry import open_model

    opened = open_model(folder / schema.path, folder)
    estimator = getattr(opened, "estimator", None)
    if estimator is not None:
        from mldeploy_model.compiled.serving import proven_model

        compiled = proven_model(estimator, schema, folder)
        if compiled is not None:
            return compiled
    return opened.predictor(schema)


def describe_model(path: Path, sample: Path | None = None) -> ModelDescription:
    """What the model's file and a CSV file with rows say. Raises ModelLoadError."""
    from mldeploy_model.formats.registry import open_model
    from mldeploy_model.formats.sample import merge_sample, read_sample
    from mldeploy_model.formats.trial import find_target

    rows = read_sample(sample) if sample else None
    opened = open_model(path, path.parent)
    description = opened.describe()
    if rows:
        description = find_target(opened, description, rows)
    return merge_sample(description, rows)
