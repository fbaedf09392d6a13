"""TOML, YAML and JSON documents that others wrote: what cannot be read is as good as empty."""

from __future__ import annotations

import re
from functools import lru_cache

from mldeploy.core.parsing import parse_json, parse_toml

YAML_LIMIT = 1 << 16
"""Characters of a YAML document that are looked at: its parser is slow, and what is read here is a page long."""

_MOST_BRACKETS = 2000
"""The parser's time grows with the square of what is open."""


def parse_toml_tables(text: str) -> dict[str, object]:
    """The tables of a TOML document."""
    return _toml(text)[0]


def toml_problem(text: str) -> str:
    """What is wrong with a TOML document, "" if nothing is. Standard: TOML 1.0."""
    return _toml(text)[1]


@lru_cache(maxsize=8)  # a lock file takes a while, and several ask for it
def _toml(text: str) -> tuple[dict[str, object], str]:
    try:
        return parse_toml(text.replace("\r\n", "\n")), ""
    except ValueError as error:
        return {}, str(error)


def load_yaml(text: str) -> dict[str, object]:
    """The mapping that a YAML document is; every scalar in it is a string, as it is written."""
    if len(text) > YAML_LIMIT or text.count("[") + text.count("{") > _MOST_BRACKETS:
        return {}
    import yaml  # noqa: PLC0415 - few folders hold any, and none should wait for its parser

    try:
        # Pure Python on purpose: nested deeply enough, a document exhausts the C parser's stack instead of raising.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes nothing but strings
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def load_json(data: bytes | str) -> dict[str, object]:
    """The object that a JSON document is."""
    try:
        document = parse_json(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def value_at(document: object, *path: str) -> object:
    """What stands at a path of keys, or None."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def table_at(document: object, *path: str) -> dict[str, object]:
    """The table at a path of keys; empty if there is none."""
    table = value_at(document, *path)
    return table if isinstance(table, dict) else {}


def list_at(document: object, *path: str) -> list[object]:
    """The list at a path of keys; empty if there is none."""
    items = value_at(document, *path)
    return items if isinstance(items, list) else []


def text_at(document: object, *path: str) -> str:
    """The string at a path of keys; "" if there is none."""
    text = value_at(document, *path)
    return text if isinstance(text, str) else ""


def line_of(lines: list[str], pattern: str) -> int:
    """The first line that begins with a pattern, counted from 1; 0 if none does."""
    return next((number for number, line in enumerate(lines, start=1) if re.match(pattern, line)), 0)
