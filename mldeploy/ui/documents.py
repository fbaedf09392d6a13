"""The base of every `--json` document, and the documents that belong to no single command.

The text of each field is its entry in docs/commands.md. A field is never renamed and never changes its meaning. The
documents of a command are in its module below `mldeploy.cli.commands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Document:
    """The whole output of a command under `--json`."""


@dataclass(frozen=True)
class TextDocument(Document):
    """Text without a structure: `--help`."""

    text: Annotated[str, "the text that a terminal shows"]


@dataclass(frozen=True)
class ErrorDetails:
    """One error."""

    code: Annotated[int, "exit code"]
    name: Annotated[str, "name of the exit code"]
    where: Annotated[str, "a file and key, a step, or a resource"]
    what: Annotated[str, "what is wrong"]
    todo: Annotated[str, "how to fix it; may be empty"]
    log: Annotated[str | None, "file with the traceback; null if there is none"] = None


@dataclass(frozen=True)
class ErrorDocument(Document):
    """The output of a command that failed."""

    error: Annotated[ErrorDetails, "the first error"]
