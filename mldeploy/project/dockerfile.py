"""The instructions of a Dockerfile: where each begins, where it ends, what it says.

Own code rather than a parser from a package: those in the index are untyped, written to edit Dockerfiles, and have not
been released for years. The engine has the last word on everything else.
https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPE = re.compile(r"#\s*escape\s*=\s*([`\\])\s*\Z", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")


@dataclass(frozen=True)
class Instruction:
    """keyword: upper case. rest: what follows it, on one line, without comments. Lines are counted from 1."""

    keyword: str
    rest: str
    line: int
    end: int


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in their order, continued lines joined."""
    lines = text.splitlines()
    sign = escape(lines)
    parts: list[str] = []
    start = 0
    for number, line in enumerate(lines, start=1):
        words = line.strip()
        if not words or words.startswith("#"):  # inside an instruction, too, they are as if they were not there
            continue
        start = start if parts else number
        parts.append(words.removesuffix(sign).strip())
        if not words.endswith(sign):
            yield _instruction(parts, start, number)
            parts = []
    if parts:
        yield _instruction(parts, start, len(lines))


def _instruction(parts: list[str], line: int, end: int) -> Instruction:
    keyword, _, rest = " ".join(parts).partition(" ")
    return Instruction(keyword.upper(), rest.strip(), line, end)


def escape(lines: list[str]) -> str:
    """The sign that continues a line: the first lines may name another one than the backslash."""
    for line in lines:
        if match := _ESCAPE.match(line.strip()):
            return match[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"
