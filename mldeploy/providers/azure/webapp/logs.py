"""The container log of a site or a slot: read it, follow it, and tell new lines from old ones.

https://learn.microsoft.com/azure/app-service/troubleshoot-diagnostic-logs
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import dropwhile

from mldeploy.providers.azure.errors import AzureError, ignore_not_found
from mldeploy.providers.azure.log_lines import new_lines
from mldeploy.providers.azure.waiting import CALL_ERRORS, is_temporary
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.sites import SiteSlot

LOOK_EVERY = 2.0
READ_ATTEMPTS = 5
READ_PAUSE_SECONDS = 1.0
_STAMP = re.compile(r"^(?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,]\d+)?Z?\s*")


@dataclass(frozen=True)
class LogMark:
    """A moment in a log. lines: the lines until then; None: they could not be read. moment: ISO 8601, UTC."""

    lines: tuple[str, ...] | None
    moment: str

    def added(self, now: Sequence[str]) -> Sequence[str]:
        """The lines after the mark. By their timestamps where the earlier lines are not known."""
        if self.lines is not None:
            return new_lines(self.lines, now)
        return tuple(dropwhile(lambda line: _moment(line) < self.moment, now))


@dataclass(frozen=True)
class SiteLogs:
    """The end of a site's log, as far as App Service returns it."""

    cloud: WebappCloud
    site_slot: SiteSlot

    def read(self) -> tuple[str, ...] | None:
        """Lines with timestamps, oldest first; empty if there are none.

        None if App Service does not return the log now: the service behind it starts at its first request, and fails
        until then. May be repeated. Raises SDK errors, for example if the permission is missing.
        """
        apps, site_slot = self.cloud.web.web_apps, self.site_slot
        site = site_slot.group, site_slot.site
        request = (
            partial(apps.get_web_site_container_logs_slot, *site, site_slot.slot, retry_total=0)
            if site_slot.slot
            else partial(apps.get_web_site_container_logs, *site, retry_total=0)
        )
        try:
            stream = ignore_not_found(request)
            text = b"".join(stream or ()).decode(errors="replace")
        except CALL_ERRORS as error:
            if is_temporary(error):
                return None
            raise
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())

    def mark(self) -> LogMark:
        """The log as it is now."""
        return LogMark(self.read(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"))

    def follow(self, tail: int, *, on: bool) -> Iterator[str]:
        """Yield the last `tail` lines (0: all), then, if `on`, new lines. Without timestamps. Raises AzureError."""
        known = self._first_lines()
        yield from map(strip_timestamp, known[-tail:])
        while on:
            time.sleep(LOOK_EVERY)
            now = self.read()
            if now is not None:
                yield from map(strip_timestamp, new_lines(known, now))
                known = now

    def _first_lines(self) -> tuple[str, ...]:
        for attempt in range(READ_ATTEMPTS):
            time.sleep(READ_PAUSE_SECONDS if attempt else 0)
            if (lines := self.read()) is not None:
                return lines
        raise AzureError(str(self.site_slot), "App Service does not return the log now", "Try again in a minute.")


def strip_timestamp(line: str) -> str:
    """The line without its timestamp."""
    return _STAMP.sub("", line)


def _moment(line: str) -> str:
    """The line's timestamp without fractions of a second; empty if it has none."""
    match = _STAMP.match(line)
    return match["moment"].replace(" ", "T") if match else ""
