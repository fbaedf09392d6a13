"""The text of `mldeploy help config`: the settings' own reference, which the installed package has."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc

from pydantic import BaseModel

from mldeploy.cli.errors import UsageError
from mldeploy.config.load import TABLES
from mldeploy.config.model import EnvironmentTable
from mldeploy.config.reference import ENVIRONMENT, describe_key
from mldeploy.config.text import nearest
from mldeploy.providers import registry

WHERE = "help config"
_TARGETS = "target."
_ENVIRONMENTS = "env."
_TABLES: Mapping[str, type[BaseModel]] = {**TABLES, ENVIRONMENT: EnvironmentTable}


def explain_config(key: str | None) -> str:
    """The reference of a key (`app.port`), of a table (`build`, `target.local`), or the list of all tables.

    Imports the provider of a target. Raises UsageError for an unknown name, UnknownTargetError, PluginError.
    """
    if key is None:
        return _list_tables()
    if key.startswith(_ENVIRONMENTS) and (overlaid := _without_environment(key)):
        return explain_config(overlaid)
    table, name = _split(key)
    model = _find_table(table)
    if not name:
        return "\n\n".join((f"[{table}]\n{cleandoc(model.__doc__ or '')}", *_explain_keys(table, model)))
    if name not in model.model_fields:
        known = [f"{table}.{each}" for each in model.model_fields]
        raise UsageError(WHERE, f"unknown key {key!r}{nearest(key, known)}", f"Known keys: {', '.join(known)}.")
    return f"{key}\n{describe_key(key, model.model_fields[name])}"


def _list_tables() -> str:
    lines = [f"[{table}]  {', '.join(model.model_fields)}" for table, model in _TABLES.items()]
    lines += [f"[{_TARGETS}{name}]" for name in registry.names()]
    return "\n".join(
        (*lines, "", "`mldeploy help config TABLE` explains a table, `mldeploy help config TABLE.KEY` a key.")
    )


def _without_environment(key: str) -> str:
    """The key that one of an environment overlays: "env.staging.app.memory" → "app.memory"; "" for one of its own."""
    overlaid = ".".join(key.split(".")[2:])
    return "" if overlaid in EnvironmentTable.model_fields else overlaid


def _split(key: str) -> tuple[str, str]:
    """The table and the name in it: "target.local.port" → "target.local", "port"."""
    words = key.split(".")
    if words[0] == _ENVIRONMENTS.rstrip("."):
        return ENVIRONMENT, ".".join(words[2:])
    length = 2 if key.startswith(_TARGETS) else 1
    return ".".join(words[:length]), ".".join(words[length:])


def _find_table(table: str) -> type[BaseModel]:
    if table.startswith(_TARGETS):
        settings: type[BaseModel] = registry.find(table.removeprefix(_TARGETS)).settings
        return settings
    if table not in _TABLES:
        known = [*_TABLES, *(f"{name}.{key}" for name, model in _TABLES.items() for key in model.model_fields)]
        tables = ", ".join((*_TABLES, *(f"{_TARGETS}{name}" for name in registry.names())))
        raise UsageError(WHERE, f"unknown table {table!r}{nearest(table, known)}", f"Known tables: {tables}.")
    return _TABLES[table]


def _explain_keys(table: str, model: type[BaseModel]) -> list[str]:
    return [f"{table}.{name}\n{describe_key(f'{table}.{name}', info)}" for name, info in model.model_fields.items()]
