"""The table `[model]` of `mldeploy.toml` as users write it: a model file that mldeploy serves without an app."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from mldeploy.config.kinds import ColumnName, FieldText, FileInside, Name, PathInside
from mldeploy.config.table import ConfigTable


def _scalar(value: object) -> str | int | float | bool:
    if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("Write a text, a number, true or false.")
    return value


Scalar = Annotated[str | int | float | bool, PlainValidator(_scalar), FieldText("a text, a number, true or false")]


class ColumnTable(ConfigTable):
    """A column of the model's input."""

    type: Literal["number", "integer", "boolean", "text", "category", "tensor"] | None = None
    minimum: Annotated[float | None, Field(allow_inf_nan=False)] = None
    maximum: Annotated[float | None, Field(allow_inf_nan=False)] = None
    categories: Annotated[list[Scalar] | None, FieldText("a list of values")] = None
    unit: str | None = None
    optional: bool | None = None
    example: Scalar | None = None


class ModelTable(ConfigTable):
    """A model that is served without an app: mldeploy has the server for it. Write `[[model]]` once per model to serve
    several under one URL. `mldeploy init model.joblib --sample rows.csv` writes the table.
    """

    path: PathInside = Field(
        description="The model: a file, or the folder of an MLflow or Hugging Face model.",
        examples=["model.joblib"],
    )
    name: Annotated[Name | None, FieldText(unset="the name of the file, made a valid one")] = Field(
        default=None,
        description="Name of the model. With several models, the routes of each begin with `/models/NAME`.",
        examples=["charges"],
    )
    sample: Annotated[FileInside | None, FieldText(unset="none")] = Field(
        default=None,
        description="A CSV file with rows of the model's input; the first line names the columns. It shows the types "
        "and ranges of the columns. A column that the model does not take is what it predicts. The file itself is not "
        "copied into the image.",
        examples=["rows.csv"],
    )
    format: Annotated[str | None, FieldText(unset="read from the file")] = Field(
        default=None, description="Format of the model (models.md lists them).", examples=["sklearn"]
    )
    task: Annotated[Literal["regression", "classification", "other"] | None, FieldText(unset="read from the model")] = (
        Field(default=None, description="What the model does.", examples=["regression"])
    )
    target: Annotated[str | None, FieldText(unset="the column of the sample that the model does not take")] = Field(
        default=None, description="Name of the predicted value.", examples=["charges"]
    )
    columns: Annotated[
        dict[ColumnName, ColumnTable],
        FieldText("a table with a table per column", unset="read from the model and the sample"),
    ] = Field(
        default={},
        description="The columns of the input, in the model's order. Keys of a column: `type` (`number`, `integer`, "
        "`boolean`, `text`, `category`, or `tensor`, an array of numbers), `minimum` and `maximum` (a value beyond "
        "them is a warning), `categories` "
        "(another value is an error), `unit` (shown in the form), `optional` (a missing value is allowed), `example`. "
        "If every listed column has a type and `task` is set, the list is complete. Otherwise it supplements what the "
        "model and the sample show.",
        examples=[{"age": {"type": "integer", "minimum": 18, "maximum": 64, "unit": "years"}}],
    )
    classes: Annotated[list[Scalar] | None, FieldText("a list of values", unset="read from the model")] = Field(
        default=None, description="The classes of a classification, in the model's order.", examples=[["no", "yes"]]
    )
    probabilities: Annotated[bool | None, FieldText(unset="read from the model")] = Field(
        default=None,
        description="Whether the model also predicts the probability of each class (`?probabilities=1`).",
        examples=[True],
    )
    version: Annotated[str | None, FieldText(unset="the beginning of the SHA-256 of the model file")] = Field(
        default=None,
        description="Version of the model, as shown in metadata and logs.",
        examples=["2026-11"],
    )
    runtime: Literal["full", "minimal"] = Field(
        default="full",
        description="What the image predicts with. `full`: the model and its libraries. `minimal`: NumPy alone and a "
        "plan of array operations, which is proved to predict the same bits. Where that is not possible, the build "
        "is refused with the reason. All models of an image have the same runtime.",
        examples=["minimal"],
    )
    max_rows: int = Field(
        default=10_000, ge=1, le=10_000_000, description="Most rows of one request. A larger one gets the status 413."
    )
    log_rate: float = Field(
        default=0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of the requests whose inputs and predictions are logged as JSON lines on stdout. 0: none.",
    )


def _as_list(value: object) -> object:
    """`[model]` is a list of one `[[model]]`."""
    return [value] if isinstance(value, dict) else value


Models = Annotated[list[ModelTable], BeforeValidator(_as_list), FieldText("a table, or one table per model: [[model]]")]
