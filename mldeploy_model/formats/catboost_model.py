"""CatBoost models in their own binary format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mldeploy_model.formats.arrays import as_frame, as_matrix, name_probabilities, to_values
from mldeploy_model.formats.registry import library_version
from mldeploy_model.predictor import Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema


def open_file(path: Path, _name: str) -> CatboostModel:
    import catboost

    return CatboostModel(catboost.CatBoost().load_model(str(path)))


class CatboostModel:
    """A loaded model; its names, classes and categorical columns are in the file."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.names = [str(name) for name in model.feature_names_]
        self.categorical = {self.names[index] for index in model.get_cat_feature_indices()}
        self.texts = {self.names[index] for index in model.get_text_feature_indices()}
        classes = model.classes_
        self.classes = tuple(classes.tolist() if hasattr(classes, "tolist") else classes)

    def describe(self) -> ModelDescription:
        version = library_version("catboost")
        numbered = self.names == [str(index) for index in range(len(self.names))]
        return ModelDescription(
            format="catboost",
            task="classification" if self.classes else "regression",
            columns=tuple(Column(name, self._type(name), optional=name not in self._discrete) for name in self.names),
            classes=self.classes,
            probabilities=bool(self.classes),
            library="catboost",
            library_version=version,
            requirements=(f"catboost=={version}", f"numpy=={library_version('numpy')}"),
            unknown=("columns: the model has no names for them; add a sample",) if numbered else (),
        )

    @property
    def _discrete(self) -> set[str]:
        return self.categorical | self.texts

    def _type(self, name: str) -> str:
        return "category" if name in self.categorical else "text" if name in self.texts else "number"

    def predictor(self, schema: ModelSchema) -> Predictor:
        return CatboostPredictor(self, schema)


class CatboostPredictor:
    """The class where the model has classes, otherwise its value."""

    def __init__(self, model: CatboostModel, schema: ModelSchema) -> None:
        self.opened, self.columns = model, schema.columns
        self.names = [column.name for column in schema.columns] or model.names

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        kind = "Class" if self.opened.classes else "RawFormulaVal"
        return to_values(self._call(columns, rows, kind))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        if not self.opened.classes:
            return None
        return name_probabilities(self.opened.classes, self._call(columns, rows, "Probability"))

    def _call(self, columns: Mapping[str, Sequence[object]], rows: int, kind: str) -> Any:
        table: Any
        if self.opened.categorical or self.opened.texts:
            table = as_frame({name: columns[name] for name in self.names}, self.columns, {})
            table.columns = self.opened.names
        else:
            table = as_matrix(columns, self.names, rows, "float32")
        return self.opened.model.predict(table, prediction_type=kind, thread_count=1)
