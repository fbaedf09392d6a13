"""What all tasks of an app have written. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.providers.aws.fargate.answers import passing
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.logs import name_of
from mldeploy.providers.errors import AbsentError

LOOK_EVERY = 1.0
LATE_SECONDS = 10.0
"""So late a line may still come: each task has a stream of its own, and none waits for another."""
WINDOWS = (900.0, 21_600.0, 604_800.0)
"""Seconds back in which the last lines of a log are looked for, before all of it is read."""


@dataclass(frozen=True, order=True)
class Line:
    """moment: milliseconds since the epoch. event: the service's own id of it."""

    moment: int
    event: str
    text: str


@dataclass(frozen=True)
class Log:
    """The lines of all tasks, in the order of their times."""

    cloud: FargateCloud
    app: str

    def lines(self, *, follow: bool, tail: int) -> Iterator[str]:
        """The last `tail` lines (0: all), then what comes, each once. Raises AbsentError if there is no log group."""
        found = self._last(tail)
        yield from (line.text for line in found[-tail:])
        while follow:
            time.sleep(LOOK_EVERY)
            known = {line.event for line in found}
            later = self._since(_resumption(found))
            yield from (line.text for line in later if line.event not in known)
            found = later or found

    def _last(self, tail: int) -> list[Line]:
        """At least so many, if there are."""
        for window in WINDOWS if tail else ():
            found = self._since(round((time.time() - window) * 1000))
            if len(found) >= tail:
                return found
        return self._since(0)

    def _since(self, moment: int) -> list[Line]:
        found: list[Line] = []
        with passing("ResourceNotFoundException"):
            pages = self.cloud.logs.get_paginator("filter_log_events").paginate(
                logGroupName=name_of(self.app), startTime=moment
            )
            for page in pages:
                found += [
                    Line(each["timestamp"], each["eventId"], each["message"].rstrip("\n")) for each in page["events"]
                ]
            return sorted(found, key=lambda line: line.moment)  # the service promises no order between streams
        raise AbsentError(self.app, "has no log on Fargate", "`mldeploy deploy --target fargate` brings it there.")


def _resumption(found: list[Line]) -> int:
    """From when to look again: far enough back for what comes late, and never before what was looked at first."""
    if not found:
        return 0
    return max(found[0].moment, found[-1].moment - round(LATE_SECONDS * 1000))
