"""The words of `app.command`, and the variables in them that are filled in when the container starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

VARIABLES = ("PORT", "WEB_CONCURRENCY")
"""What the image's environment always has: where to listen, and how many processes are wanted."""

_NAMES = "|".join(VARIABLES)
_PIECE = re.compile(rf"(\$\$|\$(?:{_NAMES})(?!\w)|\$\{{(?:{_NAMES})\}})")


@dataclass(frozen=True)
class Piece:
    """A part of a word. text: what it says, or the variable's name."""

    text: str
    is_variable: bool = False


def pieces(word: str) -> Iterator[Piece]:
    """A word in its parts: `$PORT` and `${PORT}` are variables, `$$` is a dollar sign.

    Whatever else has a dollar sign in it is returned as it stands; `config.kinds` refuses it.
    """
    for part in filter(None, _PIECE.split(word)):
        if part == "$$":
            yield Piece("$")
        elif _PIECE.fullmatch(part):
            yield Piece(part.strip("${}"), is_variable=True)
        else:
            yield Piece(part)
