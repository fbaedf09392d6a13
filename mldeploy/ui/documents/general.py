"""What is said of mldeploy itself, and of what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class VersionDocument(Document):
    """`version`."""

    version: Annotated[str, "mldeploy's own"]
    python: Annotated[str, "the Python that runs it"]


@dataclass(frozen=True)
class TextDocument(Document):
    """What has no form of its own: `--help`."""

    text: Annotated[str, "as the terminal shows it"]


@dataclass(frozen=True)
class Problem:
    """What went wrong."""

    code: Annotated[int, "the exit code"]
    name: Annotated[str, "the exit code's name"]
    where: Annotated[str, "a file and key, a step, a resource"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "what to do about it; may be empty"]
    log: Annotated[str | None, "the file with the traceback; null if there is none"] = None


@dataclass(frozen=True)
class ErrorDocument(Document):
    """Any command that failed."""

    error: Annotated[Problem, "what went wrong first"]
