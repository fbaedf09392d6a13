"""What was found of an image: `check`, and a part of `build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class FindingDocument:
    """One line of the verdict."""

    subject: Annotated[str, "what it is about: `model`, `requirements`, `health`, `port`, `golden row`, `memory` …"]
    level: Annotated[str, "`ok`, `warning` or `error`"]
    what: Annotated[str, "the fact, with its figure"]
    todo: Annotated[str, "what to do about it; may be empty"]


@dataclass(frozen=True)
class VerdictDocument:
    """What was found of an image."""

    good: Annotated[bool, "there is no error; warnings there may be"]
    anew: Annotated[bool, "it was looked at now; `false`: it was found so earlier, and nothing has changed"]
    errors: Annotated[int, "how many lines are errors"]
    warnings: Annotated[int, "how many lines are warnings"]
    start_seconds: Annotated[float | None, "until it was healthy"]
    stop_seconds: Annotated[float | None, "from SIGTERM to its end"]
    memory_at_rest: Annotated[int | None, "bytes, once it was healthy"]
    memory_after_golden: Annotated[int | None, "bytes, once it had answered the golden row"]
    memory_proposed: Annotated[int | None, "bytes that `[app] memory` could be"]
    findings: Annotated[tuple[FindingDocument, ...], "every line, causes before their consequences"]
