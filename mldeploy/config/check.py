"""Checks what is written against a model, and says what is wrong in the user's words instead of pydantic's."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mldeploy.config.describe import expected, is_hidden
from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.sources import Written
from mldeploy.config.text import DATE, nearest, quoted

ModelT = TypeVar("ModelT", bound=BaseModel)


def checked(model: type[ModelT], written: Written, table: tuple[str, ...] = ()) -> ModelT:
    """The part of `written` that stands in `table` (the whole file for none), as `model`.

    Raises one ConfigError that tells every problem.
    """
    values: object = written.values
    for key in table:
        values = values.get(key, {}) if isinstance(values, Mapping) else values
    try:
        # JSON's strict mode is TOML's idea of types: "5000" is no integer, but a list can be a tuple and a text a path.
        return model.model_validate_json(json.dumps(values, default=lambda _date: DATE), strict=True)
    except ValidationError as error:
        problems = [_problem(model, written, table, detail) for detail in error.errors(include_url=False)]
    except (ValueError, RecursionError):
        problems = [_beyond_json(written)]
    # What is raised has no cause: pydantic's error holds the values, and some of them are secrets.
    raise joined(problems)


def _problem(model: type[BaseModel], written: Written, table: tuple[str, ...], detail: ErrorDetails) -> ConfigError:
    kind = detail["type"]
    if kind == "json_invalid":
        return _beyond_json(written)
    loc = [part for part in detail["loc"] if part != "[key]"]  # pydantic's mark for a problem with a key itself
    where = written.where([*table, *loc])
    if kind == "extra_forbidden":
        return _unknown_key(model, where, loc)
    field, depth = _field(model, loc)
    remedy = str(detail["ctx"]["error"]) if kind == "value_error" and "ctx" in detail else ""
    wanted = "a table" if field is None else expected(field, inside=depth < len(loc))
    if not wanted or (field is None and remedy):
        return ConfigError(where, remedy or detail["msg"].lower())
    if kind == "missing":
        return ConfigError(where, f"is missing; it must be {wanted}")
    seen = "" if field is not None and is_hidden(field) else f", not {quoted(detail['input'])}"
    return ConfigError(where, f"must be {wanted}{seen}", remedy)


def _beyond_json(written: Written) -> ConfigError:
    return ConfigError(written.prefix.partition(":")[0], "holds a number that is too long, or is nested too deeply")


def _unknown_key(model: type[BaseModel], where: str, loc: Sequence[str | int]) -> ConfigError:
    *path, key = loc
    holder: type[BaseModel] = model
    for name in path:
        holder = _table_of(holder.model_fields[str(name)]) or holder
    known = list(holder.model_fields)
    elsewhere = [name for name, info in model.model_fields.items() if str(key) in _keys_of(info)]
    if elsewhere:
        return ConfigError(where, f"unknown key; it belongs to [{elsewhere[0]}]")
    return ConfigError(where, f"unknown key{nearest(str(key), known)}", f"Known keys here: {', '.join(known)}.")


def _field(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[FieldInfo | None, int]:
    """The innermost field that `loc` leads to (None: the model itself), and how many parts of `loc` lead there."""
    found: FieldInfo | None = None
    holder: type[BaseModel] | None = model
    for depth, part in enumerate(loc):
        if holder is None or not isinstance(part, str) or part not in holder.model_fields:
            return found, depth
        found = holder.model_fields[part]
        holder = _table_of(found)
    return found, len(loc)


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys_of(field: FieldInfo) -> Collection[str]:
    table = _table_of(field)
    return table.model_fields if table is not None else ()
