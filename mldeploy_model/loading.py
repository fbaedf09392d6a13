"""A model in code of your own: `predict(DataFrame)` as the model has it, and a fast `predict_rows`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mldeploy_model.predictor import ModelLoadError, Predictor
from mldeploy_model.schema import ModelSchema

if TYPE_CHECKING:
    from mldeploy_model.compiled.proof import Proof


class LoadedModel:
    """A loaded model. Safe to use from several threads.

    `predict` and `predict_proba` are the model's own. `predict_rows` and `predict_columns` take the compiled path if it
    was proved to predict the same, else the model's own; `proof` says which and why (None: this format has one path).
    """

    def __init__(self, estimator: Any, schema: ModelSchema, predictor: Predictor, proof: Proof | None) -> None:
        self.estimator, self.schema, self.proof = estimator, schema, proof
        self._predictor = predictor

    def predict(self, frame: Any) -> Any:
        """What the model's own `predict` returns for a DataFrame or an array."""
        if self.estimator is not None:
            return self.estimator.predict(frame)
        columns = {str(name): frame[name].tolist() for name in frame.columns}
        return self._predictor.predict(columns, len(frame))

    def predict_proba(self, frame: Any) -> Any:
        """What the model's own `predict_proba` returns. Raises AttributeError if it has none."""
        return self.estimator.predict_proba(frame)

    def predict_rows(self, rows: Sequence[Mapping[str, object]]) -> Sequence[object]:
        """One prediction a row. Raises PredictionInputError for rows that the model refuses."""
        columns = {column.name: [row.get(column.name) for row in rows] for column in self.schema.columns}
        return self._predictor.predict(columns, len(rows))

    def predict_columns(self, columns: Mapping[str, Sequence[object]]) -> Sequence[object]:
        """One prediction a row, of columns that are equally long. Raises PredictionInputError."""
        return self._predictor.predict(columns, len(next(iter(columns.values()), ())))

    def probabilities(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, float]] | None:
        """One mapping a row from the class to its probability; None where the model has none."""
        columns = {column.name: [row.get(column.name) for row in rows] for column in self.schema.columns}
        return self._predictor.probabilities(columns, len(rows))


def load(path: str | os.PathLike[str], sample: str | os.PathLike[str] | None = None) -> LoadedModel:
    """Load a model's file, and prove its compiled path with some hundred rows, which takes about a second.

    `sample` is a CSV file with rows as the model takes them: it says which values the columns have. Loading a pickle
    runs the code in it. Raises ModelLoadError.
    """
    from mldeploy_model.formats.registry import open_model
    from mldeploy_model.formats.sample import merge_sample, read_sample

    file = Path(path)
    if not file.exists():
        raise ModelLoadError(f"{file} does not exist", "Name the model's file or folder")
    opened = open_model(file, file.parent)
    described = merge_sample(opened.describe(), read_sample(Path(sample)) if sample else None)
    schema = replace(
        ModelSchema(file.stem, file.name, described.format, described.task),
        columns=described.columns, classes=described.classes, sample=described.sample,
    )  # fmt: skip
    estimator = getattr(opened, "estimator", None)
    if estimator is None:
        return LoadedModel(None, schema, opened.predictor(schema), None)
    return _with_proof(estimator, schema, opened)


def _with_proof(estimator: Any, schema: ModelSchema, opened: Any) -> LoadedModel:
    from mldeploy_model.compiled.model import compile_model
    from mldeploy_model.compiled.proof import Effort
    from mldeploy_model.compiled.serving import prove_model

    proof = prove_model(estimator, schema, effort=Effort(rows=300, single_rows=10))
    predictor: Predictor = compile_model(estimator, schema.columns) if proof.equal else opened.predictor(schema)
    return LoadedModel(estimator, schema, predictor, proof)
