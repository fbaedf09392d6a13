"""What a model takes and answers: its columns, its task, its limits. `mldeploy` writes it, the server reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Union

Value = Union[str, int, float, bool, None]

COLUMN_TYPES = ("number", "integer", "boolean", "text", "category", "tensor")
"""A tensor is a list of numbers, nested to any depth: an image, a series."""
TASKS = ("regression", "classification", "other")


class SchemaError(ValueError):
    """The description of a model is not usable; the text names the key and what is allowed there."""


@dataclass(frozen=True)
class Column:
    """One input of the model. Bounds are those of the sample or of the user: a value beyond them is a warning."""

    name: str
    type: str = "number"
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[Value, ...] = ()
    unit: str = ""
    optional: bool = False  # a missing value is allowed
    example: Value = None

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise SchemaError(f"columns: a name is a text that is not empty, not {self.name!r}")
        if self.type not in COLUMN_TYPES:
            raise SchemaError(f"columns.{self.name}.type: one of {', '.join(COLUMN_TYPES)}, not {self.type!r}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise SchemaError(f"columns.{self.name}: minimum {self.minimum} is above maximum {self.maximum}")
        object.__setattr__(self, "categories", tuple(self.categories))


@dataclass(frozen=True)
class ModelSchema:
    """One model of the image: where it is, in which format, and what it takes and answers."""

    name: str
    path: str
    format: str
    task: str = "other"
    columns: tuple[Column, ...] = ()
    target: str = "prediction"
    classes: tuple[Value, ...] = ()
    version: str = ""
    log_rate: float = 0.0  # the share of requests whose rows and predictions are written to stdout
    probabilities: bool = False
    max_rows: int = 10_000
    sample: tuple[Mapping[str, Value], ...] = field(default=())

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise SchemaError(f"models.{self.name}.task: one of {', '.join(TASKS)}, not {self.task!r}")
        if not 0 <= self.log_rate <= 1:
            raise SchemaError(f"models.{self.name}.log_rate: a number from 0 to 1, not {self.log_rate!r}")
        if self.max_rows < 1:
            raise SchemaError(f"models.{self.name}.max_rows: at least 1, not {self.max_rows!r}")
        names = [column.name for column in self.columns]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SchemaError(f"models.{self.name}.columns: {', '.join(repeated)} is listed more than once")
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "sample", tuple(self.sample))

    def to_json(self) -> str:
        """One JSON object that `from_json` reads again."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelSchema:
        """Raises SchemaError for a text that is no model's description."""
        return schema_from(_parse(text))


@dataclass(frozen=True)
class ModelDescription:
    """What a model's file and a sample say of it: `python -m mldeploy_model.describe` prints it as JSON."""

    format: str
    task: str
    columns: tuple[Column, ...]
    classes: tuple[Value, ...] = ()
    probabilities: bool = False
    target: str = "prediction"
    library: str = ""
    library_version: str = ""  # that the model was made with, as far as the file says it
    requirements: tuple[str, ...] = ()  # what serving this model needs, pinned
    sample: tuple[Mapping[str, Value], ...] = ()
    unknown: tuple[str, ...] = ()  # one line each: what cannot be known, and the key to set

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)


def write_models(models: Sequence[ModelSchema]) -> str:
    """The content of models.json, from which the server starts."""
    return json.dumps({"models": [asdict(model) for model in models]}, ensure_ascii=False, allow_nan=False, indent=1)


def read_models(text: str) -> tuple[ModelSchema, ...]:
    """The models of a models.json. Raises SchemaError."""
    document = _parse(text)
    listed = document.get("models") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise SchemaError("models.json: it has no list `models` with at least one model")
    models = tuple(schema_from(entry) for entry in listed)
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise SchemaError(f"models.json: two models have one name: {', '.join(sorted(names))}")
    return models


def schema_from(document: object) -> ModelSchema:
    """Build a ModelSchema from parsed JSON. An unknown key is refused, since it is a misspelled one."""
    entry = _object(document, "models")
    _refuse_unknown_keys(entry, ModelSchema, "models")
    for key in ("name", "path", "format"):
        if not isinstance(entry.get(key), str):
            raise SchemaError(f"models.{key}: a text is needed")
    columns = tuple(_column(column) for column in _list(entry.get("columns", []), "models.columns"))
    try:
        return ModelSchema(**{**entry, "columns": columns})
    except TypeError as error:
        raise SchemaError(f"models.{entry['name']}: {error}") from error


def _column(document: object) -> Column:
    entry = _object(document, "models.columns")
    _refuse_unknown_keys(entry, Column, "models.columns")
    try:
        return Column(**entry)
    except TypeError as error:
        raise SchemaError(f"models.columns.{entry.get('name', '?')}: {error}") from error


def _parse(text: str) -> object:
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"the description of the model is not JSON: {error}") from error
    return document


# The values are checked by the dataclasses that take them.
def _object(document: object, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise SchemaError(f"{where}: an object is needed, not {type(document).__name__}")
    return document


def _list(document: object, where: str) -> list[object]:
    if not isinstance(document, list):
        raise SchemaError(f"{where}: a list is needed, not {type(document).__name__}")
    return document


def _refuse_unknown_keys(entry: Mapping[str, object], cls: type, where: str) -> None:
    known = [item.name for item in fields(cls)]
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise SchemaError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(known)}")
