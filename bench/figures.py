"""What was measured, when and where, kept as JSON in docs/bench so that each part can be measured alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from docker import APIClient

from bench.pairs import Pair, Spread


@dataclass
class Figures:
    """Values by what was measured and of whom, one a round, in rounds' order: the same round is comparable."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, what: str, whose: str, value: float) -> None:
        """Note a value of one round."""
        self.values.setdefault(what, {}).setdefault(whose, []).append(value)

    def add_all(self, what: str, whose: str, values: Sequence[float]) -> None:
        """Note the values of several rounds."""
        for value in values:
            self.add(what, whose, value)

    def join(self, others: Figures) -> None:
        """Note all of another's values after one's own."""
        for what, by_whom in others.values.items():
            for whose, values in by_whom.items():
                self.add_all(what, whose, values)

    def spread(self, what: str, whose: str) -> Spread | None:
        """All rounds' values; None if it was not measured."""
        values = self.values.get(what, {}).get(whose)
        return Spread(tuple(values)) if values else None

    def ratio(self, what: str, ours: str, theirs: str) -> Spread | None:
        """Ours divided by theirs, round by round; None unless both were measured in the same rounds."""
        one, other = self.spread(what, ours), self.spread(what, theirs)
        if one is None or other is None or len(one.values) != len(other.values):
            return None
        return Pair(one, other).ratio


@dataclass(frozen=True)
class Measured:
    """One part's figures with their circumstances."""

    day: str
    machine: str
    minutes: float
    figures: Figures

    def write(self, file: Path) -> None:
        """Keep it."""
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Measured | None:
        """What was kept; None if that part was never measured."""
        if not file.exists():
            return None
        kept = json.loads(file.read_text(encoding="utf-8"))
        return cls(kept["day"], kept["machine"], kept["minutes"], Figures(kept["figures"]["values"]))


def measured(client: APIClient, seconds: float, figures: Figures) -> Measured:
    """Today's figures of this machine."""
    version = client.version()["Version"]
    machine = f"{os.cpu_count()} CPUs, Docker Engine {version}, Python {sys.version.split()[0]}"
    return Measured(str(datetime.now(UTC).date()), machine, round(seconds / 60, 1), figures)
