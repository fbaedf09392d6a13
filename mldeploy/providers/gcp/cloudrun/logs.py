"""The app's log in Cloud Logging. https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.cloud.logging_v2.types import ListLogEntriesRequest, LogEntry

from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.errors import gcp_errors

POLL_SECONDS = 2.0
LATE = timedelta(seconds=20)
"""So late an entry may still become visible."""
PAGE = 1000
REQUESTS = "run.googleapis.com%2Frequests"
SYSTEM = "run.googleapis.com%2Fvarlog%2Fsystem"
"""The log of requests, and that of the containers' ends, which Cloud Run writes by itself."""


@dataclass(frozen=True, order=True)
class RunLogLine:
    """moment: when the app wrote it. id: of the entry. system: Cloud Run wrote it, not the app."""

    moment: datetime
    id: str
    text: str
    system: bool = False


@dataclass(frozen=True)
class RunLogs:
    """The lines that the app wrote, of all instances. revision: only those of one revision; "" for all."""

    cloud: CloudRunCloud
    revision: str = ""

    def last(self, tail: int) -> list[RunLogLine]:
        """The last lines (0: all), oldest first. Raises DeniedError, GcpError."""
        return sorted(self._read(f"{self._filter}", "timestamp desc", tail))

    def since(self, moment: datetime) -> list[RunLogLine]:
        """The lines from a moment on, oldest first."""
        return sorted(self._read(f'{self._filter} AND timestamp>="{moment.isoformat()}"', "timestamp asc", 0))

    def lines(self, *, follow: bool, tail: int) -> Iterator[str]:
        """The last `tail` lines (0: all), then, if `follow`, those that come, each once."""
        known = self.last(tail)
        yield from (each.text for each in known)
        start = known[0].moment if known else datetime.now(UTC) - LATE
        while follow:
            time.sleep(POLL_SECONDS)
            seen = {each.id for each in known}
            current = self.since(max(start, known[-1].moment - LATE) if known else start)
            yield from (each.text for each in current if each.id not in seen)
            known = current or known

    @property
    def _filter(self) -> str:
        parts = [
            'resource.type="cloud_run_revision"',
            f'resource.labels.service_name="{self.cloud.app}"',
            f'resource.labels.location="{self.cloud.account.region}"',
            f'logName!="projects/{self.cloud.account.project}/logs/{REQUESTS}"',
        ]
        if self.revision:
            parts.append(f'resource.labels.revision_name="{self.revision}"')
        return " AND ".join(parts)

    def _read(self, expression: str, order: str, limit: int) -> Iterator[RunLogLine]:
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self.cloud.account.project}"],
            filter=expression,
            order_by=order,
            page_size=min(limit, PAGE) if limit else PAGE,
        )
        with gcp_errors(f"log of {self.cloud.app}", "logging.logEntries.list"):
            for count, entry in enumerate(
                call(self.cloud.account.identity, self.cloud.logging.list_log_entries, request)
            ):
                if limit and count >= limit:
                    return
                yield from _parse_entry(entry)


def _parse_entry(entry: LogEntry) -> Iterator[RunLogLine]:
    message = LogEntry.pb(entry)
    fields = message.json_payload.fields
    text = message.text_payload or (fields["message"].string_value if "message" in fields else "")
    if text:
        system = message.log_name.endswith(SYSTEM)
        moment = message.timestamp.ToDatetime(tzinfo=UTC)
        yield RunLogLine(moment, message.insert_id, text.rstrip("\n"), system)


def split_log(lines: Sequence[RunLogLine]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The app's own lines, and those of Cloud Run about its container."""
    return tuple(each.text for each in lines if not each.system), tuple(each.text for each in lines if each.system)
