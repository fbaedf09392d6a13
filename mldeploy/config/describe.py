"""What a field is called in messages and in the manual, from its type and pydantic's own metadata."""

from __future__ import annotations

import types
from collections.abc import Iterator
from os import PathLike
from typing import Annotated, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mldeploy.config.kinds import Shown

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
    return next((mark.unset for mark in _marks(field) if isinstance(mark, Shown) and mark.unset), "")


def is_hidden(field: FieldInfo) -> bool:
    """Whether the field may hold a secret."""
    return any(mark.hidden for mark in _marks(field) if isinstance(mark, Shown))


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
    said = next((mark.kind for mark in marks if isinstance(mark, Shown) and mark.kind), "")
    return said or f"{_plain(annotation)}{_range(marks)}"


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
