"""How a canary, and the agreement of two versions, are shown: as lines and a small table, and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mldeploy.ui.page import Page
from mldeploy.ui.text import counted

if TYPE_CHECKING:
    from mldeploy.app.agreement import Agreement
    from mldeploy.providers.traffic import TrafficSplit


@dataclass(frozen=True)
class CanaryState:
    """A canary beside the serving version. The texts are those of the manual."""

    serving: Annotated[str, "revision that serves the other requests"]
    canary: Annotated[str, "revision of the canary"]
    image: Annotated[str, "image of the canary"]
    percent: Annotated[float, "the canary's share of the requests"]
    ratio: Annotated[str, "how the share comes about where the target does not split by weight: `1 of 8 pods`"]

    @classmethod
    def of(cls, split: TrafficSplit | None) -> CanaryState | None:
        """The state for `--json`; None without a canary."""
        if split is None:
            return None
        candidate = split.candidate
        return cls(split.stable.revision, candidate.revision, candidate.image, round(split.percent, 2), split.ratio)

    def __str__(self) -> str:
        how = f" ({self.ratio})" if self.ratio else ""
        share = f"{self.percent:.3g} % of the requests{how}"
        return f"revision {self.canary} gets {share}; revision {self.serving} gets the others"


@dataclass(frozen=True)
class DifferenceDocument:
    """A row for which the two versions differ."""

    row: Annotated[int, "number of the row in the sample, from 1"]
    value: Annotated[str, "where in the answer the difference is"]
    old: Annotated[str, "value of the serving or older version"]
    new: Annotated[str, "value of the newer version"]
    difference: Annotated[float | None, "relative difference of two numbers; null for anything else"]


@dataclass(frozen=True)
class AgreementDocument:
    """How far two versions agree."""

    rows: Annotated[int, "rows that were compared"]
    agreeing: Annotated[int, "rows for which both versions gave the same answer"]
    rejected: Annotated[int, "of these, rows for which neither gave a prediction"]
    share: Annotated[float, "`agreeing` divided by `rows`"]
    tolerance: Annotated[float, "relative difference of numbers that counts as the same"]
    worst: Annotated[tuple[DifferenceDocument, ...], "the rows that differ most"]

    @classmethod
    def of(cls, agreement: Agreement | None) -> AgreementDocument | None:
        if agreement is None:
            return None
        worst = tuple(
            DifferenceDocument(
                each.row, each.value, each.old, each.new, each.distance if math.isfinite(each.distance) else None
            )
            for each in agreement.worst
        )
        return cls(
            agreement.rows,
            agreement.agreeing,
            agreement.rejected,
            round(agreement.share, 6),
            agreement.tolerance,
            worst,
        )

    @property
    def summary(self) -> str:
        """`198 of 200 rows agree (99.0 %)`."""
        verb = "agrees" if self.rows == 1 else "agree"
        text = f"{self.agreeing} of {counted(self.rows, 'row')} {verb} ({100 * self.share:.1f} %)"
        return f"{text}; {self.rejected} got no prediction from either version" if self.rejected else text


HEADS = ("ROW", "VALUE", "OLD", "NEW", "DIFFERENCE")


def print_worst(agreement: AgreementDocument, page: Page) -> None:
    """Print the rows that differ most."""
    if agreement.worst:
        page.table(HEADS, worst_cells(agreement))


def worst_lines(agreement: AgreementDocument) -> list[str]:
    """The same as lines of an error message."""
    rows = [HEADS, *worst_cells(agreement)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def worst_cells(agreement: AgreementDocument) -> list[tuple[str, str, str, str, str]]:
    return [(str(each.row), each.value, each.old, each.new, _percent(each.difference)) for each in agreement.worst]


def _percent(difference: float | None) -> str:
    return "differs" if difference is None else f"{100 * difference:.3g} %"
