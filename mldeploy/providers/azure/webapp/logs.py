"""What the containers of a site have written, and what App Service has written about them.

https://learn.microsoft.com/azure/app-service/troubleshoot-diagnostic-logs
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.sites import Place

LOOK_EVERY = 2.0
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\s*")


@dataclass(frozen=True)
class Log:
    """The end of a site's log: App Service hands out that much."""

    cloud: WebappCloud
    place: Place

    def lines(self) -> tuple[str, ...]:
        """The oldest first, with their stamps; empty while there is none. Raises what the SDK raises."""
        apps, place = self.cloud.web.web_apps, self.place
        if place.slot:
            told = found(partial(apps.get_web_site_container_logs_slot, place.group, place.site, place.slot))
        else:
            told = found(partial(apps.get_web_site_container_logs, place.group, place.site))
        text = b"".join(told or ()).decode(errors="replace")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())

    def follow(self, tail: int, *, on: bool) -> Iterator[str]:
        """The last `tail` lines (0: all), then, if `on`, what comes; without their stamps."""
        known = self.lines()
        yield from map(said, known[-tail:])
        while on:
            time.sleep(LOOK_EVERY)
            now = self.lines()
            yield from map(said, fresh(known, now))
            known = now


def fresh(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """What has been added to a log of which only the end is shown, which may have lost its beginning meanwhile."""
    for start in range(len(before)):
        overlap = len(before) - start
        if overlap <= len(now) and before[start:] == now[:overlap]:
            return now[overlap:]
    return now


def said(line: str) -> str:
    """A line without its stamp."""
    return _STAMP.sub("", line)
