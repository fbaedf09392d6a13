"""The kinds of values that settings have: how each is checked, and what it is called in messages and in the manual."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field


@dataclass(frozen=True)
class FieldText:
    """How a field appears to users, where pydantic's own metadata does not say it. For `Annotated`.

    kind: completes "must be …". unset: what holds when the key is absent and no plain value can say it.
    hidden: the value may be a secret, so no message quotes it.
    """

    kind: str = ""
    unset: str = ""
    hidden: bool = False


NAME_LENGTH = 40
"""What the strictest place that gets an app's name allows, a Google Cloud cluster."""
ENVIRONMENT_LENGTH = 20
"""Leaves half of NAME_LENGTH to the app's own name and the hash."""
ENVIRONMENT_NAME = rf"[a-z](?:[a-z0-9-]{{0,{ENVIRONMENT_LENGTH - 2}}}[a-z0-9])?"
"""The same characters as in an app's name."""


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


_UNITS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 86_400


def parse_duration(text: str) -> float:
    """Seconds of "30s", "5m" or "1h"; at most a day. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smh])", text, re.ASCII)
    if match is None:
        raise ValueError('Write a number and a unit: "30s", "5m" or "1h".')
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError('It is at most "24h".')
    return seconds


def _name(text: str) -> str:
    if not re.fullmatch(rf"[a-z](?:[a-z0-9-]{{0,{NAME_LENGTH - 2}}}[a-z0-9])?", text):
        raise ValueError(f'"{dns_label(text)}" would do.')
    return text


def _entry(text: str) -> str:
    if not is_entry(text):
        raise ValueError('"app:app" is the object `app` in app.py, "app:create_app()" what that function returns.')
    return text


def is_entry(text: str) -> bool:
    """Whether it is a module, a colon, and an object in it or a call that gunicorn understands."""
    module, _, attribute = text.partition(":")
    return all(part.isidentifier() for part in module.split(".")) and _is_object_or_call(attribute)


def _is_object_or_call(text: str) -> bool:
    """A name, or the call of one with nothing but literals: what gunicorn takes."""
    if text.isidentifier():
        return True
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            return False
        for argument in (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg)):
            ast.literal_eval(argument)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return False
    return text.isprintable() and all(keyword.arg for keyword in call.keywords)


def _word(text: str) -> str:
    if not text.isprintable():
        raise ValueError("A word of the command has neither line breaks nor other control characters.")
    if any("$" in piece.text for piece in pieces(text) if not piece.is_variable and piece.text != "$"):
        known = " and ".join(f"${name}" for name in VARIABLES)
        raise ValueError(f"Only {known} are filled in; $$ is a dollar sign. No shell reads the words.")
    return text


def is_folder_inside(text: str) -> bool:
    """Whether the app can be started in a folder of this path: it stands in the recipe as it is."""
    return re.fullmatch(r"[\w.][\w./ -]*", text) is not None and text == text.strip()


def _folder_inside(text: str) -> str:
    if not is_folder_inside(text):
        raise ValueError("Its name has letters, digits, spaces and . _ - / alone.")
    return _inside(text)


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


def _duration(text: str) -> str:
    parse_duration(text)
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
    FieldText(f"a DNS label: a letter, then letters, digits and hyphens, {NAME_LENGTH} at most, all in lower case"),
]
Entry = Annotated[
    str,
    AfterValidator(_entry),
    FieldText('a module and an object in it, such as "app:app", or a function that returns it, "app:create_app()"'),
]
Command = Annotated[
    list[Annotated[str, AfterValidator(_word), FieldText("a text in quotes, one word of the command")]],
    Field(min_length=1),
    FieldText('a list of words, such as ["streamlit", "run", "app.py", "--server.port=$PORT"]'),
]
FolderInside = Annotated[
    str, AfterValidator(_folder_inside), FieldText("the path of a folder below the project folder, with /")
]
Port = Annotated[int, Field(ge=1, le=65535)]
WebAddress = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~%/-]*)?$"),
    FieldText('the address of a service, such as "https://example.com", without a password'),
]
UrlPath = Annotated[
    str,
    Field(pattern=r"^/[A-Za-z0-9._~%/:@+,=-]*$"),
    FieldText('the path of a URL, such as "/health", without a query'),
]
FileInside = Annotated[str, AfterValidator(_inside), FieldText("the path of a file below the project folder, with /")]
PathInside = Annotated[
    str, AfterValidator(_inside), FieldText("the path of a file or folder below the project folder, with /")
]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
FileInsideOrNone = Annotated[
    str, AfterValidator(_inside_or_none), FieldText('the path of a file below the project folder, with /, or ""')
]
FileAnywhere = Annotated[str, AfterValidator(_anywhere), FieldText("the path of a file")]
Duration = Annotated[str, AfterValidator(_duration), FieldText('a duration of at most "24h", such as "30s" or "5m"')]
Size = Annotated[str, AfterValidator(_size), FieldText('a size of at least "6m", such as "512m" or "1g"')]
Variable = Annotated[str, AfterValidator(_variable)]
Variables = Annotated[
    dict[
        Variable,
        Annotated[str, AfterValidator(_value), FieldText("a text in quotes")],
    ],
    FieldText("a table of texts", hidden=True),
]
ImageReference = Annotated[
    str,
    Field(
        max_length=255,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?/)?"
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    ),
    FieldText('an image reference, such as "python:3.11-slim-bookworm" or "registry.example/python@sha256:…"'),
]
IndexUrl = Annotated[
    str,
    Field(pattern=r"^https?://[^\s\x00-\x1f]+$"),
    FieldText('the URL of a package index, such as "https://${NAME}@packages.example/simple"', hidden=True),
]
DebianPackage = Annotated[
    str,
    # Debian Policy 5.6.1 and 5.6.12.
    Field(pattern=r"^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$"),
    FieldText('the name of a Debian package, such as "libgomp1" or "libgomp1=12.2.0-14"'),
]
Platform = Annotated[
    str, Field(pattern=r"^linux/[a-z0-9]+(/v[0-9]+)?$"), FieldText('an OCI platform, "linux/amd64" or "linux/arm64"')
]


VARIABLES = ("PORT", "WEB_CONCURRENCY")
"""What the image's environment always has: where to listen, and how many processes are wanted."""

_NAMES = "|".join(VARIABLES)
_PIECE = re.compile(rf"(\$\$|\$(?:{_NAMES})(?!\w)|\$\{{(?:{_NAMES})\}})")


@dataclass(frozen=True)
class CommandPart:
    """A part of a word. text: what it says, or the variable's name."""

    text: str
    is_variable: bool = False


def pieces(word: str) -> Iterator[CommandPart]:
    """A word in its parts: `$PORT` and `${PORT}` are variables, `$$` is a dollar sign.

    Whatever else has a dollar sign in it is returned as it stands; `config.kinds` refuses it.
    """
    for part in filter(None, _PIECE.split(word)):
        if part == "$$":
            yield CommandPart("$")
        elif _PIECE.fullmatch(part):
            yield CommandPart(part.strip("${}"), is_variable=True)
        else:
            yield CommandPart(part)
