"""LightGBM boosters in their text format."""

from __future__ import annotations

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
from mldeploy_model.formats.sklearn_columns import lightgbm_categories
from mldeploy_model.predictor import Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema, Value


def open_file(path: Path, _name: str) -> LightgbmModel:
    import lightgbm

    lightgbm.register_logger(_Quiet())
    objective = next((line[10:] for line in path.read_text().splitlines() if line.startswith("objective=")), "")
    return LightgbmModel(lightgbm.Booster(model_file=str(path)), objective)


class _Quiet:
    """LightGBM prints its notes on stdout, which belongs to the prediction log."""

    def info(self, _text: str) -> None:
        pass

    def warning(self, _text: str) -> None:
        pass


class LightgbmModel:
    """A booster and its objective, such as `binary sigmoid:1`."""

    def __init__(self, booster: Any, objective: str) -> None:
        self.booster, self.objective = booster, objective.partition(" ")[0]
        self.names = [str(name) for name in booster.feature_name()]
        self.categories = lightgbm_categories(booster, self.names) if booster.pandas_categorical else {}

    @property
    def classes(self) -> tuple[Value, ...]:
        """The numbers of the classes; their names are not in the file."""
        if self.objective == "binary":
            return (0, 1)
        count = self.booster.num_model_per_iteration()
        return tuple(range(count)) if self.objective in ("multiclass", "multiclassova") else ()

    def describe(self) -> ModelDescription:
        version = library_version("lightgbm")
        has_names = self.names != [f"Column_{index}" for index in range(len(self.names))]
        return ModelDescription(
            format="lightgbm",
            task="classification" if self.classes else "regression",
            columns=tuple(self._column(name) for name in self.names),
            classes=self.classes,
            probabilities=bool(self.classes),
            library="lightgbm",
            library_version=version,
            requirements=(f"lightgbm=={version}", f"numpy=={library_version('numpy')}"),
            unknown=() if has_names else ("columns: the model has no names for them; add a sample",),
        )

    def _column(self, name: str) -> Column:
        if name in self.categories:
            return Column(name, "category", categories=tuple(self.categories[name]), optional=True)
        return Column(name, optional=True)

    def predictor(self, schema: ModelSchema) -> Predictor:
        return LightgbmPredictor(self, schema)


class LightgbmPredictor:
    """The class where the objective has classes, otherwise the booster's value."""

    def __init__(self, model: LightgbmModel, schema: ModelSchema) -> None:
        self.model, self.columns = model, schema.columns
        self.names = [column.name for column in schema.columns] or model.names
        self.classes = schema.classes if len(schema.classes) == len(model.classes) else model.classes

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        scores = self._scores(columns, rows)
        return pick_classes(self.classes, _shares(scores)) if self.classes else to_values(scores)

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        if not self.classes:
            return None
        return name_probabilities(self.classes, _shares(self._scores(columns, rows)))

    def _scores(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        table: Any
        if self.model.categories:
            table = as_frame({name: columns[name] for name in self.names}, self.columns, self.model.categories)
        else:
            table = as_matrix(columns, self.names, rows, "float64")
        return self.model.booster.predict(table, num_threads=1, validate_features=False)


def _shares(scores: Any) -> Any:
    return with_complement(scores) if scores.ndim == 1 else scores
