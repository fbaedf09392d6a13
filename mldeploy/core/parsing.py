"""Parse TOML and JSON that others wrote: in time that grows with the length alone, and never with a traceback."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import NoReturn

MAX_DEPTH = 200
"""Levels of a document: what people write has ten, and Python gives up at about a thousand."""
MAX_NAME_PARTS = 64
"""Parts of a dotted TOML key: the parser's time grows with the square of their number."""

_WORDS = re.compile(
    r'"""(?:\\.|"(?!"")|[^"\\])*+(?:""")?'
    r"|'''(?:'(?!'')|[^'])*+(?:''')?"
    r'|"(?:\\[^\n]|[^"\\\n])*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
_ENDS = re.compile(r"[\n=,{}\[\]]")


class NestingError(ValueError):
    """A document has more levels than any reader needs."""

    def __init__(self) -> None:
        super().__init__("it is nested too deeply")


def parse_toml(text: str) -> dict[str, object]:
    """The tables of a TOML document. Raises ValueError: TOMLDecodeError, NestingError, or for a number's length."""
    if any(piece.count(".") >= MAX_NAME_PARTS for piece in _ENDS.split(_WORDS.sub("x", text))):
        raise NestingError
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise NestingError from error
    _check(document)
    return document


def parse_json(text: str | bytes, *, constants: bool = True) -> object:
    """A JSON document. constants: NaN and Infinity may stand in it. Raises ValueError, of which NestingError is one."""
    try:
        document: object = json.loads(text) if constants else json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise NestingError from error
    _check(document)
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return
    raise NestingError


def _inner(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
