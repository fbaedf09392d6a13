"""Reading what an API server answers: documents of which nobody promises that a field is there.

The SDK's models would do it, at half a second of loading for each group of the API, and refuse what a newer server
adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Document: TypeAlias = Mapping[str, object]
"""An object of Kubernetes as JSON: a manifest, or what a server answers."""


def at(document: object, *path: str) -> object:
    """What stands under a path of keys, None if nothing does."""
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def text(document: object, *path: str) -> str:
    """A text, "" if there is none."""
    found = at(document, *path)
    return found if isinstance(found, str) else ""


def number(document: object, *path: str) -> int:
    """A whole number, 0 if there is none."""
    found = at(document, *path)
    return found if isinstance(found, int) else 0


def flag(document: object, *path: str) -> bool:
    """Whether it is true."""
    return at(document, *path) is True


def table(document: object, *path: str) -> Document:
    """A table, empty if there is none."""
    found = at(document, *path)
    return found if isinstance(found, Mapping) else {}


def texts(document: object, *path: str) -> dict[str, str]:
    """A table of texts, such as labels."""
    return {key: value for key, value in table(document, *path).items() if isinstance(value, str)}


def rows(document: object, *path: str) -> tuple[Document, ...]:
    """A list of tables, empty if there is none."""
    found = at(document, *path)
    return tuple(each for each in found if isinstance(each, Mapping)) if isinstance(found, list) else ()


def name_of(document: object) -> str:
    return text(document, "metadata", "name")


def uid_of(document: object) -> str:
    return text(document, "metadata", "uid")


def condition(document: object, kind: str) -> Document:
    """The condition of this type in an object's status, empty if it says nothing of it."""
    return next((each for each in rows(document, "status", "conditions") if text(each, "type") == kind), {})
