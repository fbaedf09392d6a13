"""Checks what is written against a model, and says what is wrong in the user's words instead of pydantic's."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mldeploy.config.describe import expected, is_hidden
from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.sources import Written

ModelT = TypeVar("ModelT", bound=BaseModel)

LONGEST_QUOTE = 60


def checked(model: type[ModelT], written: Written, table: tuple[str, ...] = ()) -> ModelT:
    """The part of `written` that stands in `table` (the whole file for none), as `model`.

    Raises one ConfigError that tells every problem.
    """
    values: object = written.values
    for key in table:
        values = values.get(key, {}) if isinstance(values, Mapping) else values
    try:
        # JSON's strict mode is TOML's idea of types: "5000" is no integer, but a list can be a tuple and a text a path.
        return model.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        problems = [_problem(model, written, table, detail) for detail in error.errors(include_url=False)]
    except (ValueError, RecursionError):
        problems = [ConfigError(written.prefix.split(":")[0], "holds a number too long, or nests too deeply")]
    raise joined(problems)


def _problem(model: type[BaseModel], written: Written, table: tuple[str, ...], detail: ErrorDetails) -> ConfigError:
    where = written.where(dotted((*table, *detail["loc"])))
    if detail["type"] == "extra_forbidden":
        return _unknown_key(model, where, detail["loc"])
    field = _field(model, detail["loc"])
    remedy = str(detail["ctx"]["error"]) if detail["type"] == "value_error" and "ctx" in detail else ""
    kind = expected(field) if field is not None else "a table"
    if detail["type"] == "missing":
        return ConfigError(where, f"is missing; it must be {kind}", remedy)
    if not kind:
        return ConfigError(where, remedy or detail["msg"].lower())
    seen = "" if field is not None and is_hidden(field) else f", not {quoted(detail['input'])}"
    return ConfigError(where, f"must be {kind}{seen}", remedy)


def _unknown_key(model: type[BaseModel], where: str, loc: Sequence[str | int]) -> ConfigError:
    *path, key = loc
    holder: type[BaseModel] = model
    for name in path:
        holder = _table_of(holder.model_fields[str(name)]) or holder
    known = list(holder.model_fields)
    elsewhere = [name for name, info in model.model_fields.items() if str(key) in _keys_of(info)]
    if path and elsewhere:
        return ConfigError(where, f"unknown key; it belongs to [{elsewhere[0]}]")
    return ConfigError(where, f"unknown key{nearest(str(key), known)}", f"Known keys here: {', '.join(known)}.")


def nearest(name: str, known: Collection[str]) -> str:
    """ "; did you mean …?" for the known name that is nearest to `name`, or nothing."""
    match = difflib.get_close_matches(name, known, 1)
    return f'; did you mean "{match[0]}"?' if match else ""


def quoted(value: object) -> str:
    """A value from outside as one short line that no terminal can take for a command."""
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def dotted(loc: Sequence[str | int]) -> str:
    """pydantic's location as a user's path: ("app", "models", 0) → "app.models[0]"."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":  # pydantic's mark for a problem with a key itself
            bare = part.isascii() and part.replace("-", "_").isidentifier()
            path += ("." if path else "") + (part if bare else quoted(part))
    return path


def _field(model: type[BaseModel], loc: Sequence[str | int]) -> FieldInfo | None:
    """The innermost field that `loc` leads to, or None for a whole model."""
    found: FieldInfo | None = None
    holder: type[BaseModel] | None = model
    for part in loc:
        if holder is None or not isinstance(part, str) or part not in holder.model_fields:
            break
        found = holder.model_fields[part]
        holder = _table_of(found)
    return found


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys_of(field: FieldInfo) -> Collection[str]:
    table = _table_of(field)
    return table.model_fields if table is not None else ()
