"""Checks what is written against a model, and says what is wrong in the user's words instead of pydantic's."""

from __future__ import annotations

import json
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from os import PathLike
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mldeploy.config.errors import ConfigError, joined
from mldeploy.config.kinds import FieldText
from mldeploy.config.sources import ConfigSource
from mldeploy.config.text import DATE, nearest, quoted

ModelT = TypeVar("ModelT", bound=BaseModel)


def checked(model: type[ModelT], written: ConfigSource, table: tuple[str, ...] = ()) -> ModelT:
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


def _problem(
    model: type[BaseModel], written: ConfigSource, table: tuple[str, ...], detail: ErrorDetails
) -> ConfigError:
    kind = detail["type"]
    if kind == "json_invalid":
        return _beyond_json(written)
    loc = [part for part in detail["loc"] if part != "[key]"]  # pydantic's mark for a problem with a key itself
    where = written.where(_as_written(written, [*table, *loc]))
    if kind == "extra_forbidden":
        return _unknown_key(model, where, loc)
    field, depth = _field(model, loc)
    remedy = str(detail["ctx"]["error"]) if kind == "value_error" and "ctx" in detail else ""
    expectation = "a table" if field is None else expected(field, inside=depth < len(loc))
    if not expectation or (field is None and remedy):
        return ConfigError(where, remedy or detail["msg"].lower())
    if kind == "missing":
        return ConfigError(where, f"is missing; it must be {expectation}")
    seen = "" if field is not None and is_hidden(field) else f", not {quoted(detail['input'])}"
    return ConfigError(where, f"must be {expectation}{seen}", remedy)


def _as_written(written: ConfigSource, path: list[str | int]) -> list[str | int]:
    """The path of a key where a single table stands for a list of one: `model.path`, not `model[0].path`."""
    is_single = len(path) > 1 and path[1] == 0 and isinstance(written.values.get(str(path[0])), Mapping)
    return [path[0], *path[2:]] if is_single else path


def _beyond_json(written: ConfigSource) -> ConfigError:
    return ConfigError(written.prefix.partition(":")[0], "holds a number that is too long, or is nested too deeply")


def _unknown_key(model: type[BaseModel], where: str, loc: Sequence[str | int]) -> ConfigError:
    *path, key = loc
    holder: type[BaseModel] = model
    for name in path:
        if name in holder.model_fields:
            holder = _table_of(holder.model_fields[str(name)]) or holder
    known = list(holder.model_fields)
    elsewhere = [name for name, info in model.model_fields.items() if str(key) in _keys_of(info)]
    if elsewhere:
        return ConfigError(where, f"unknown key; it belongs to [{elsewhere[0]}]")
    return ConfigError(where, f"unknown key{nearest(str(key), known)}", f"Known keys here: {', '.join(known)}.")


def _field(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[FieldInfo | None, int]:
    """The innermost field that `loc` leads to (None: the model itself), and how many parts of `loc` lead there."""
    field: FieldInfo | None = None
    holder: type[BaseModel] | None = model
    depth = 0
    while depth < len(loc) and holder is not None and loc[depth] in holder.model_fields:
        field = holder.model_fields[str(loc[depth])]
        depth += 1
        holder = _table_of(field)
        if holder is not None and _holds_tables(field) and depth + 1 < len(loc):
            depth += 1  # the index or the key of one of its tables
    return field, depth


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table that a field is, or that each of its items is."""
    annotation = _element(field.annotation) if _holds_tables(field) else field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _holds_tables(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (list, dict)


def _keys_of(field: FieldInfo) -> Collection[str]:
    table = _table_of(field)
    return table.model_fields if table is not None else ()


_PLAIN = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}


def expected(field: FieldInfo, *, inside: bool = False) -> str:
    """What completes "must be …"; empty if the type says nothing that a user would understand.

    inside: of what the field's list or table holds.
    """
    if inside:
        element = _element(field.annotation)
        return _kind(element, list(_inner_marks(element)))
    return _kind(field.annotation, list(_marks(field)))


def unset(field: FieldInfo) -> str:
    """What holds when the key is absent and its default is no plain value."""
    return next((mark.unset for mark in _marks(field) if isinstance(mark, FieldText) and mark.unset), "")


def is_hidden(field: FieldInfo) -> bool:
    """Whether the field may hold a secret."""
    return any(mark.hidden for mark in _marks(field) if isinstance(mark, FieldText))


def _marks(field: FieldInfo) -> Iterator[object]:
    yield from field.metadata
    yield from _inner_marks(field.annotation)


def _inner_marks(annotation: object) -> Iterator[object]:
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        for mark in marks:
            yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)
        yield from _inner_marks(inner)
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _inner_marks(branch)


def _kind(annotation: object, marks: list[object]) -> str:
    label = next((mark.kind for mark in marks if isinstance(mark, FieldText) and mark.kind), "")
    return label or f"{_plain(annotation)}{_range(marks)}"


def _element(annotation: object) -> object:
    """The type of a list's items or of a table's values."""
    args = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _element(args[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((_element(branch) for branch in args if get_args(branch)), None)
    return next((arg for arg in reversed(args) if arg is not ...), None)


def _plain(annotation: object) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(args[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(filter(None, map(_plain, args))))
    if origin is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in args)
    return _class(origin or annotation)


def _class(kind: object) -> str:
    if not isinstance(kind, type):
        return ""
    if issubclass(kind, (list, tuple, set, frozenset)):
        return "a list"
    if issubclass(kind, (dict, BaseModel)):
        return "a table"
    return "a path" if issubclass(kind, PathLike) else _PLAIN.get(kind, "")


def _range(marks: list[object]) -> str:
    low = next((f"from {mark.ge}" for mark in marks if isinstance(mark, Ge)), "")
    low = low or next((f"above {mark.gt}" for mark in marks if isinstance(mark, Gt)), "")
    high = next((f"to {mark.le}" for mark in marks if isinstance(mark, Le)), "")
    high = high or next((f"below {mark.lt}" for mark in marks if isinstance(mark, Lt)), "")
    return "".join(f" {bound}" for bound in (low, high) if bound)
