"""The models of `[model]`: from the tables as written to settings, and to the app that serves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import dns_label
from mldeploy.config.model_table import ColumnTable, ModelTable
from mldeploy.config.settings import App, ServedColumn, ServedModel

ENTRY = "mldeploy_model.server:app"
"""The server of the package that the image gets."""


def list_served_models(tables: Sequence[ModelTable]) -> tuple[ServedModel, ...]:
    """Return the models in the order of the file. Raises ConfigError if two have one name, or bounds are contrary."""
    served = tuple(map(_served, tables))
    names = [each.name for each in served]
    repeated = next((name for name in names if names.count(name) > 1), "")
    if repeated:
        raise ConfigError("model.name", f'two models have the name "{repeated}"', "Set `name` in one of them.")
    if len({each.runtime for each in served}) > 1:
        what = "one image has one runtime, and its models differ"
        raise ConfigError("model.runtime", what, 'Set runtime = "minimal" in all [[model]], or in none.')
    for column in (column for each in served for column in each.columns):
        if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
            what = f"the minimum {column.minimum:g} is above the maximum {column.maximum:g}"
            raise ConfigError(f"model.columns.{column.name}", what)
    return served


def serve_models(app: App, served: tuple[ServedModel, ...]) -> App:
    """Return the app whose code is mldeploy's server, for at least one model."""
    predict = predict_path(served)
    return replace(
        app,
        entry=ENTRY,
        interface="wsgi",
        command=(),
        chdir="",
        health="/health",
        health_by="app",
        predict=predict,
        predict_table=predict,
        models=app.models or tuple(dict.fromkeys(each.path for each in served)),
    )


def predict_path(served: Sequence[ServedModel]) -> str:
    """Return the path of the first model: several models have one each."""
    return "/predict" if len(served) == 1 else model_path(served[0])


def model_path(served: ServedModel) -> str:
    """Return the path under which one of several models predicts."""
    return f"/models/{served.name}/predict"


def model_name(path: str) -> str:
    """Return the name of a model that has none: of its file."""
    return dns_label(PurePosixPath(path).name.partition(".")[0])


def _served(table: ModelTable) -> ServedModel:
    return ServedModel(
        name=table.name or model_name(table.path),
        path=table.path,
        sample=table.sample,
        task=table.task,
        target=table.target,
        columns=tuple(_column(name, each) for name, each in table.columns.items()),
        classes=tuple(table.classes or ()),
        probabilities=table.probabilities,
        version=table.version,
        max_rows=table.max_rows,
        log_rate=table.log_rate,
        format=table.format or "",
        runtime=table.runtime,
    )


def _column(name: str, table: ColumnTable) -> ServedColumn:
    return ServedColumn(
        name=name,
        type=table.type,
        minimum=table.minimum,
        maximum=table.maximum,
        categories=tuple(table.categories or ()),
        unit=table.unit,
        optional=table.optional,
        example=table.example,
    )
