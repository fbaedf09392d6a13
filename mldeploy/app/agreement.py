"""How far two versions of an app agree: their answers to the same rows, compared as the golden row's is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mldeploy.app.client import AppClient
from mldeploy.app.sample_request import SampleAnswer, SampleRequest, ask_version, choose_rows
from mldeploy.config.secret import Secret
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.project.golden import Golden, list_differences

EVERY_SECONDS = 0.05
"""At most 20 rows a second."""
LIMIT_SECONDS = 120.0
SHOWN_ROWS = 5


@dataclass(frozen=True)
class RowDifference:
    """A row for which two versions differ. value: where in the answer. old, new: the values. distance: relative."""

    row: int
    value: str
    old: str
    new: str
    distance: float


@dataclass(frozen=True)
class Agreement:
    """rows: how many were compared, of how many. agreeing: for how many both versions gave the same answer.

    rejected: of these, for how many both gave no prediction. worst: the rows that differ most, at most SHOWN_ROWS, the
    worst first.
    """

    rows: int
    of: int
    agreeing: int
    rejected: int
    tolerance: float
    worst: tuple[RowDifference, ...]

    @property
    def share(self) -> float:
        return self.agreeing / self.rows if self.rows else 1.0


def compare_versions(
    requests: Sequence[SampleRequest],
    urls: tuple[str, str],
    tolerance: float,
    monitor: Monitor,
    trust: Path | None = None,
    headers: Iterable[tuple[str, Secret]] = (),
) -> Agreement:
    """Ask two versions for the same rows, the serving or older one first, and compare their answers.

    headers: sent with each request. At most MOST_ROWS rows, evenly spread, and those of LIMIT_SECONDS. A number may
    differ by `tolerance`, relative to the first version's. If both reject a row with the same status, they agree.
    Raises CancelledError.
    """
    chosen, differing, done, rejected = choose_rows(requests), [], 0, 0
    began = time.monotonic()
    clients = (AppClient(each, trust, monitor, headers=headers) for each in urls)
    with next(clients) as old, next(clients) as new:
        for request in chosen:
            if time.monotonic() - began > LIMIT_SECONDS:
                break
            due = time.monotonic() + EVERY_SECONDS
            monitor.progress(Progress("", "comparing the answers of both versions", done, len(chosen)))
            answers = ask_version(old, request), ask_version(new, request)
            if difference := _compare(request, *answers, tolerance):
                differing.append(difference)
            rejected += all(each.failure for each in answers) and not difference
            done += 1
            monitor.wait(max(0.0, due - time.monotonic()))
    worst = sorted(differing, key=lambda each: (-each.distance, each.row))[:SHOWN_ROWS]
    return Agreement(done, len(requests), done - len(differing), rejected, tolerance, tuple(worst))


def _compare(request: SampleRequest, old: SampleAnswer, new: SampleAnswer, tolerance: float) -> RowDifference | None:
    if old.failure or new.failure:
        if old.failure and new.failure and old.status == new.status:
            return None
        return RowDifference(
            request.row, "the answer", old.failure or "a prediction", new.failure or "a prediction", math.inf
        )
    golden = Golden(request.path, request.body, old.prediction, tolerance, 0.0)
    differences = tuple(list_differences(golden, new.prediction))
    if not differences:
        return None
    first = max(differences, key=lambda each: each.distance)
    return RowDifference(request.row, first.location or "the answer", first.expected, first.got, first.distance)
