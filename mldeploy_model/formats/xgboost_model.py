"""XGBoost boosters in its own formats, JSON and UBJSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mldeploy_model.formats.arrays import (
    as_frame,
    as_matrix,
    name_probabilities,
    pick_classes,
    to_values,
    with_complement,
)
from mldeploy_model.formats.registry import library_version
from mldeploy_model.predictor import Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema, Value

_PROBABILITY = ("binary:logistic", "multi:softprob")


def open_file(path: Path, _name: str) -> XgboostModel:
    import xgboost

    return XgboostModel(xgboost.Booster(model_file=str(path)))


class XgboostModel:
    """A booster, and what its configuration says."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        booster.set_param({"nthread": 1})  # requests are answered side by side already
        config = json.loads(booster.save_config())["learner"]
        self.objective = str(config["objective"]["name"])
        self.class_count = int(config["learner_model_param"].get("num_class", 0) or 0)
        width = booster.num_features()
        self.names = list(booster.feature_names or (f"x{index}" for index in range(width)))
        self.types = list(booster.feature_types or ["float"] * width)

    @property
    def classes(self) -> tuple[Value, ...]:
        """The numbers of the classes; their names are not in the file."""
        if self.objective.startswith("binary:") and self.objective != "binary:logitraw":
            return (0, 1)
        return tuple(range(self.class_count)) if self.objective.startswith("multi:") else ()

    def describe(self) -> ModelDescription:
        unknown = () if self.booster.feature_names else ("columns: the model has no names for them; add a sample",)
        version = library_version("xgboost", "xgboost-cpu")
        return ModelDescription(
            format="xgboost",
            task="classification" if self.classes else "regression",
            columns=tuple(Column(name, _TYPES.get(kind, "number"), optional=True) for name, kind in self._columns()),
            classes=self.classes,
            probabilities=self.objective in _PROBABILITY,
            library="xgboost",
            library_version=version,
            requirements=(f"xgboost=={version}", f"numpy=={library_version('numpy')}"),
            unknown=unknown,
        )

    def _columns(self) -> list[tuple[str, str]]:
        return list(zip(self.names, self.types))

    def predictor(self, schema: ModelSchema) -> Predictor:
        return XgboostPredictor(self, schema)


_TYPES = {"int": "integer", "i": "boolean", "c": "category"}


class XgboostPredictor:
    """The class where the objective has classes, otherwise the booster's value."""

    def __init__(self, model: XgboostModel, schema: ModelSchema) -> None:
        self.model = model
        self.columns = schema.columns
        self.names = [column.name for column in schema.columns] or model.names
        classes = schema.classes if len(schema.classes) == len(model.classes) else model.classes
        self.classes = tuple(classes)
        self.categorical = {c.name: c.categories for c, kind in zip(schema.columns, model.types) if kind == "c"}

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        scores = self._scores(columns, rows)
        if self.model.objective in {"multi:softmax", "binary:hinge"}:
            return [self.classes[int(index)] for index in scores.tolist()]
        if not self.classes:
            return to_values(scores)
        return pick_classes(self.classes, self._shares(scores))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        if self.model.objective not in _PROBABILITY:
            return None
        return name_probabilities(self.classes, self._shares(self._scores(columns, rows)))

    def _shares(self, scores: Any) -> Any:
        return with_complement(scores) if scores.ndim == 1 else scores

    def _scores(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        if not self.categorical:
            matrix = as_matrix(columns, self.names, rows, "float32")
            return self.model.booster.inplace_predict(matrix, validate_features=False)
        import xgboost

        frame = as_frame({name: columns[name] for name in self.names}, self.columns, self.categorical)
        frame.columns = self.model.names
        return self.model.booster.predict(xgboost.DMatrix(frame, enable_categorical=True, nthread=1))
