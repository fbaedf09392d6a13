"""What a request's content may hold: names, types, and what must not be missing. What is not named here is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mldeploy.rehearsal.azure.arm.errors import ArmError

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Each:
    """A list of such things."""

    what: What


@dataclass(frozen=True)
class Named:
    """A mapping whose keys the caller chooses."""

    what: What


@dataclass(frozen=True)
class OneOf:
    """One of a few words, whose capitals do not matter."""

    words: Sequence[str]


@dataclass(frozen=True)
class Shape:
    """An object. name: what Azure calls it in its words of refusal. required: members that must not be missing."""

    name: str
    members: Mapping[str, What]
    required: Sequence[str] = field(default=())


What: TypeAlias = type | Each | Named | OneOf | Shape
_TYPES = {
    str: "System.String",
    bool: "System.Boolean",
    int: "System.Int32",
    float: "System.Double",
    list: "System.Array",
    dict: "System.Object",
}


def check(content: object, what: What, path: str = "") -> None:
    """Raises ArmError, 400 InvalidRequestContent, which names the first thing that is wrong. null is nothing."""
    if content is None:
        return
    if isinstance(what, Shape):
        _object(content, what, path)
    elif isinstance(what, Named):
        for name, each in _mapping(content, what, path).items():
            check(each, what.what, _below(path, name))
    elif isinstance(what, Each):
        if not isinstance(content, list):
            raise _unlike(content, "System.Collections.Generic.List", path)
        for number, each in enumerate(content):
            check(each, what.what, f"{path}[{number}]")
    else:
        _value(content, what, path)


def _value(content: object, what: type | OneOf, path: str) -> None:
    if isinstance(what, OneOf):
        if str(content).lower() not in [word.lower() for word in what.words]:
            raise _unlike(content, f"one of {', '.join(what.words)}", path)
        return
    is_right = isinstance(content, (int, float) if what is float else what)
    if not is_right or (what in (int, float) and isinstance(content, bool)):
        raise _unlike(content, _TYPES[what], path)


def _object(content: object, shape: Shape, path: str) -> None:
    members = _mapping(content, shape, path)
    for name, each in members.items():
        if name not in shape.members:
            where = f"Path '{_below(path, name)}', line 1, position 1."
            raise _invalid(f"Could not find member '{name}' on object of type '{shape.name}'. {where}")
        check(each, shape.members[name], _below(path, name))
    for name in shape.required:
        if members.get(name) is None:
            where = f"Path '{path}', line 1, position 1."
            raise _invalid(f"Required property '{name}' not found in JSON. {where}")


def _mapping(content: object, what: What, path: str) -> Mapping[str, object]:
    if not isinstance(content, dict):
        raise _unlike(content, what.name if isinstance(what, Shape) else "System.Object", path)
    return content


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unlike(content: object, kind: str, path: str) -> ArmError:
    return _invalid(f"Error converting value {content!r} to type '{kind}'. Path '{path}', line 1, position 1.")


def _invalid(what: str) -> ArmError:
    message = f"The request content was invalid and could not be deserialized: '{what}'"
    return ArmError(400, "InvalidRequestContent", message)
