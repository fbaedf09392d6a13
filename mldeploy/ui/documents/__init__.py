"""What each command says under `--json`, and what its text on a terminal is written from.

Each field's text is the manual's (docs/commands.md). A field is never renamed or given another meaning. There is a file
for each group of commands: a dataclass takes half a millisecond to make, and a command needs few of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """What a command prints under `--json`, as a whole."""
