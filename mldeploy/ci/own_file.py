"""What the project's own file says: of all that a run here works with, the part that holds on other machines, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mldeploy.config.sources import Written, read_files


@dataclass(frozen=True)
class OwnFile:
    """Checked already, except for the targets' tables: each is checked by its provider, once that is used."""

    written: Written

    @classmethod
    def of(cls, root: Path) -> Self:
        """Raises ConfigError."""
        return cls(read_files(root))

    def said(self, table: str, key: str) -> str:
        """The value of a key as text; "" if the file leaves it out, whatever this machine's own file says."""
        found = _table(self.written.values.get(table))
        return str(found.get(key, "")) if (table, key) not in self.written.origins else ""

    def target(self, name: str) -> Mapping[str, object]:
        """A target's table; empty if there is none."""
        return _table(_table(self.written.values.get("target")).get(name))


def _table(found: object) -> Mapping[str, object]:
    return found if isinstance(found, dict) else {}
