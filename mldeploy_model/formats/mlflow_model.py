"""An MLflow model folder: the flavor's own file is loaded where we know it, otherwise MLflow loads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mldeploy_model.formats.arrays import as_frame, to_values
from mldeploy_model.predictor import ModelLoadError, OpenedModel, Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema, Value

_FILE_KEYS = {
    "sklearn": ("pickled_model", "model.pkl"),
    "xgboost": ("data", "model.xgb"),
    "lightgbm": ("data", "model.lgb"),
    "catboost": ("data", "model.cb"),
    "onnx": ("data", "model.onnx"),
    "keras": ("data", "data/model.keras"),
    "tensorflow": ("data", "data/model.keras"),
}
_TYPES = {
    "double": "number",
    "float": "number",
    "long": "integer",
    "integer": "integer",
    "boolean": "boolean",
    "string": "text",
    "datetime": "text",
}


def open_file(path: Path, _name: str) -> MlflowModel:
    document = _read_mlmodel(path)
    flavors = document.get("flavors") or {}
    columns = _signature_columns(document)
    for flavor, (key, default) in _FILE_KEYS.items():
        if flavor in flavors:
            inner = _flavor_file(path, str(flavors[flavor].get(key) or default))
            if inner is not None:
                from mldeploy_model.formats.registry import open_model

                return MlflowModel(path, columns, open_model(inner, path), None)
    return MlflowModel(path, columns, None, _load_pyfunc(path, document))


def _read_mlmodel(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ModelLoadError(f"{path.name}/MLmodel is not YAML: {error}", "Save the model again") from None
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        raise ModelLoadError(f"{path.name}/MLmodel names no flavor", "Save the model again with mlflow")
    return document


def _flavor_file(path: Path, name: str) -> Path | None:
    """The model's file; a folder, such as Keras' `data`, has it inside."""
    inner = path / name
    if inner.is_dir():
        inner = next((each for each in sorted(inner.rglob("*.keras"))), inner)
    return inner if inner.is_file() else None


def _load_pyfunc(path: Path, document: Mapping[str, Any]) -> Any:
    try:
        from mlflow import pyfunc
    except ModuleNotFoundError:
        names = ", ".join(document["flavors"])
        what = f"{path.name} has the flavors {names}, which MLflow itself must load, and it is not installed"
        raise ModelLoadError(what, "Add mlflow to the requirements") from None
    return pyfunc.load_model(str(path))


def _signature_columns(document: Mapping[str, Any]) -> tuple[Column, ...]:
    """The signature's inputs. A tensor without a name is a column of its own."""
    inputs = json.loads((document.get("signature") or {}).get("inputs") or "[]")
    return tuple(_signature_column(entry, index) for index, entry in enumerate(inputs))


def _signature_column(entry: Mapping[str, Any], index: int) -> Column:
    if entry.get("type") == "tensor":
        return Column(str(entry.get("name") or f"x{index}"), "tensor")
    kind = _TYPES.get(str(entry.get("type")), "text")
    return Column(str(entry.get("name") or f"x{index}"), kind, optional=entry.get("required") is False)


def _read_example(path: Path) -> tuple[Mapping[str, Value], ...]:
    """The input example's rows, in either of the forms that MLflow writes."""
    file = path / "input_example.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    if isinstance(document, dict) and {"columns", "data"} <= set(document):
        return tuple(dict(zip(document["columns"], row)) for row in document["data"][:20])
    return tuple(row for row in document[:20] if isinstance(row, dict)) if isinstance(document, list) else ()


def _read_requirements(path: Path) -> tuple[str, ...]:
    try:
        lines = (path / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith(("#", "mlflow")))


class MlflowModel:
    """The folder, and the model in it."""

    def __init__(self, path: Path, columns: tuple[Column, ...], inner: OpenedModel | None, pyfunc: Any) -> None:
        self.path, self.columns, self.inner, self.pyfunc = path, columns, inner, pyfunc

    def describe(self) -> ModelDescription:
        if self.inner is None:
            described = ModelDescription("mlflow", "other", self.columns, library="mlflow")
        else:
            described = replace(self.inner.describe(), format="mlflow")
        columns = self._merged(described.columns)
        unknown = described.unknown if not self.columns else ()
        requirements = _read_requirements(self.path) or described.requirements
        example = _read_example(self.path)
        return replace(described, columns=columns, unknown=unknown, requirements=requirements, sample=example)

    def _merged(self, inner: tuple[Column, ...]) -> tuple[Column, ...]:
        """The signature's columns with the categories that the model itself knows."""
        known = {column.name: column for column in inner}
        if len(self.columns) == 1 and self.columns[0].type == "tensor" and inner:
            return inner
        if not self.columns:
            return inner
        return tuple(
            replace(column, type="category", categories=known[column.name].categories, optional=column.optional)
            if column.name in known and known[column.name].categories
            else column
            for column in self.columns
        )

    def predictor(self, schema: ModelSchema) -> Predictor:
        return self.inner.predictor(schema) if self.inner else PyfuncPredictor(self.pyfunc, schema)


class PyfuncPredictor:
    """MLflow's own generic interface, which takes a DataFrame."""

    def __init__(self, model: Any, schema: ModelSchema) -> None:
        self.model, self.columns = model, schema.columns

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        return to_values(self.model.predict(as_frame(columns, self.columns, {})))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        return None
