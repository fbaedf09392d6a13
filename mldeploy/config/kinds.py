"""The kinds of values that settings have: how each is checked, and what it is called in messages and in the manual."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field


@dataclass(frozen=True)
class Shown:
    """How a field appears to users, where pydantic's own metadata does not say it. For `Annotated`.

    kind: completes "must be …". unset: what holds when the key is absent and no plain value can say it.
    hidden: the value may be a secret, so no message quotes it.
    """

    kind: str = ""
    unset: str = ""
    hidden: bool = False


NAME_LENGTH = 40
"""What the strictest place that gets an app's name allows, a Google Cloud cluster."""


def dns_label(text: str) -> str:
    """The nearest valid app name to `text`: a DNS label (RFC 1123) with a letter first, NAME_LENGTH at most."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not label:
        return "app"
    return (label if label[0].isalpha() else f"app-{label}")[:NAME_LENGTH].strip("-")


def parse_size(text: str) -> int:
    """Bytes of "512m", "1g", "1.5GiB", "536870912"; the units are powers of 1024, as in `docker run --memory`.

    Raises ValueError for anything else, and for less than the 6 MiB that the Docker Engine demands.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)i?b?", text, re.ASCII | re.IGNORECASE)
    if match is None:
        raise ValueError("Write a number and a unit: b, k, m, g or t.")
    size = int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))
    if not 6 << 20 <= size < 1 << 50:
        raise ValueError('The Docker Engine wants at least "6m"; no machine has "1024t".')
    return size


def _name(text: str) -> str:
    if not re.fullmatch(rf"[a-z](?:[a-z0-9-]{{0,{NAME_LENGTH - 2}}}[a-z0-9])?", text):
        raise ValueError(f'"{dns_label(text)}" would do.')
    return text


def _entry(text: str) -> str:
    module, colon, attribute = text.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ValueError('"app:app" is the object `app` in app.py.')
    return text


def _inside(text: str) -> str:
    """The path in its shortest form."""
    path = PurePosixPath(text)
    if not text.isprintable() or path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("It is copied into the image, so it must lie in the project folder.")
    return str(path)


def _inside_or_none(text: str) -> str:
    return _inside(text) if text else text


def _anywhere(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("It must be the path of a file.")
    return text


def _size(text: str) -> str:
    parse_size(text)
    return text


def _variable(name: str) -> str:
    if not is_variable(name):
        raise ValueError("A variable's name has neither a space nor =, and is not empty.")
    return name


def _value(text: str) -> str:
    if "\0" in text:
        raise ValueError("No variable can hold a NUL character.")
    return text


def is_variable(name: str) -> bool:
    """Whether an environment variable can have this name: what `docker run --env-file` accepts."""
    return name.isprintable() and re.fullmatch(r"[^\s=]+", name) is not None


Name = Annotated[
    str,
    AfterValidator(_name),
    Shown(f"a DNS label: a letter, then letters, digits and hyphens, {NAME_LENGTH} at most, all in lower case"),
]
Entry = Annotated[str, AfterValidator(_entry), Shown('a module and an object in it, such as "app:app"')]
Port = Annotated[int, Field(ge=1, le=65535)]
UrlPath = Annotated[
    str, Field(pattern=r"^/[A-Za-z0-9._~%/:@+,=-]*$"), Shown('the path of a URL, such as "/health", without a query')
]
FileInside = Annotated[str, AfterValidator(_inside), Shown("the path of a file below the project folder, with /")]
FileInsideOrNone = Annotated[
    str, AfterValidator(_inside_or_none), Shown('the path of a file below the project folder, with /, or ""')
]
FileAnywhere = Annotated[str, AfterValidator(_anywhere), Shown("the path of a file")]
Size = Annotated[str, AfterValidator(_size), Shown('a size of at least "6m", such as "512m" or "1g"')]
Variables = Annotated[
    dict[
        Annotated[str, AfterValidator(_variable)],
        Annotated[str, AfterValidator(_value), Shown("a text in quotes")],
    ],
    Shown("a table of texts", hidden=True),
]
ImageReference = Annotated[
    str,
    Field(
        max_length=255,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?/)?"
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    ),
    Shown('an image reference, such as "python:3.11-slim-bookworm" or "registry.example/python@sha256:…"'),
]
Platform = Annotated[
    str, Field(pattern=r"^linux/[a-z0-9]+(/v[0-9]+)?$"), Shown('an OCI platform, "linux/amd64" or "linux/arm64"')
]
