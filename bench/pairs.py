"""Timings that can be trusted on a machine that others use too: in pairs, one after the other, ratios and medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing, in the unit of the measurements."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Pair:
    """Ours and theirs, measured in turn: seconds each, and ours divided by theirs, pair by pair."""

    ours: Spread
    theirs: Spread

    @property
    def ratio(self) -> Spread:
        pairs = zip(self.ours.values, self.theirs.values, strict=True)
        return Spread(tuple(our / their for our, their in pairs))


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def repeated(action: Callable[[], object], runs: int) -> Spread:
    """Wall times of so many calls, after one that is not counted."""
    action()
    return Spread(tuple(seconds(action) for _ in range(runs)))


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> Pair:
    """Ours, theirs, ours, theirs …: what slows the machine down for a while slows both of a pair."""
    ours()
    theirs()
    timed = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return Pair(Spread(tuple(our for our, _ in timed)), Spread(tuple(their for _, their in timed)))
