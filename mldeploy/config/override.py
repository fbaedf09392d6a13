"""Overrides of single keys: flags and `MLDEPLOY_…` variables."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

PREFIX = "MLDEPLOY_"


@dataclass(frozen=True)
class Override:
    """One key's value, above every file.

    key: dotted, "app.port", "target.local.host", "app.env.LOG_LEVEL". A text is read as the type that the key has, so
    "5000" is a port. flag: what the user wrote, "--port" or "MLDEPLOY_APP_PORT"; errors name it. The value may be a
    secret: it is not in the repr.
    """

    key: str
    value: str | int | float | bool | tuple[str, ...] = field(repr=False)
    flag: str

    @property
    def path(self) -> tuple[str, ...]:
        """The key's parts. A table within a table may have dots in its keys: "app.env.LOG.LEVEL" has three parts."""
        return tuple(self.key.split(".", 3 if self.key.startswith("target.") else 2))


Overrides: TypeAlias = Sequence[Override]


def variable(key: str) -> str:
    """The environment variable of a key: "build.base_image" → "MLDEPLOY_BUILD_BASE_IMAGE"."""
    return PREFIX + re.sub(r"[.-]", "_", key).upper()


def from_environment(keys: Mapping[str, str]) -> Iterator[Override]:
    """What the environment says of `keys` (variable → key). A variable that is set to nothing is not set."""
    for name, key in keys.items():
        if text := os.environ.get(name, ""):
            yield Override(key, text, name)


def scalars(model: type[BaseModel], table: str) -> dict[str, str]:
    """Variable → key of every field of a table that has one value rather than many."""
    return {
        variable(f"{table}.{key}"): f"{table}.{key}"
        for key, info in model.model_fields.items()
        if scalar_type(info.annotation) is not None
    }


def scalar_type(annotation: object) -> type | None:
    """str, int, float or bool for a field that holds one of them (or None), else None. Paths are texts."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return scalar_type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        branches = {scalar_type(branch) for branch in get_args(annotation) if branch is not type(None)}
        return branches.pop() if len(branches) == 1 else None
    if origin is Literal:
        return type(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, (str, os.PathLike)):
        return str
    return annotation if annotation in (int, float, bool) else None


def parsed(text: str, kind: type | None) -> str | int | float | bool:
    """`text` read as `kind`, or `text` itself where it cannot be: then the check of the key says what it must be."""
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if kind is int and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if kind is float and re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        return float(text)
    return text
