"""The log entries of the project. https://cloud.google.com/logging/docs/reference/v2/rpc"""

from __future__ import annotations

import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from google.api import monitored_resource_pb2  # type: ignore[import-untyped]
from google.cloud.logging_v2.types import (
    ListLogEntriesRequest,
    ListLogEntriesResponse,
    LogEntry,
    TailLogEntriesRequest,
    TailLogEntriesResponse,
)
from google.logging.type import http_request_pb2, log_severity_pb2  # type: ignore[import-untyped]
from google.protobuf.timestamp_pb2 import Timestamp

from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.logs.filter import LogComparison, parse_filter
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods, StreamMethod

SERVICE = "google.logging.v2.LoggingServiceV2"
LOGGING = "logging.googleapis.com"
LIST = "logging.logEntries.list"
STDOUT, SYSTEM, REQUESTS = (f"run.googleapis.com%2F{name}" for name in ("stdout", "varlog%2Fsystem", "requests"))
"""The logs of Cloud Run. https://cloud.google.com/run/docs/logging"""
_MOST_KEPT = 20000
_PAGE, _MOST_PAGE = 50, 1000
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class LogRecord:
    """What is logged. log: STDOUT, SYSTEM or REQUESTS. resource: labels of the monitored resource."""

    log: str
    resource: Mapping[str, str]
    text: str = ""
    severity: str = "DEFAULT"
    labels: Mapping[str, str] = field(default_factory=dict)
    request: http_request_pb2.HttpRequest | None = None


class LogEntries:
    """All entries, the oldest first. Thread-safe."""

    def __init__(self, project: StandInProject, conditions: ProjectConditions) -> None:
        self._project = project
        self._conditions = conditions
        self._changed = threading.Condition()
        self._entries: deque[LogEntry] = deque(maxlen=_MOST_KEPT)

    def reset(self) -> None:
        with self._changed:
            self._entries.clear()
            self._changed.notify_all()

    def write(self, record: LogRecord) -> None:
        """Add an entry with the current time."""
        now = Timestamp()
        now.GetCurrentTime()
        entry = LogEntry(
            log_name=f"projects/{self._project.id}/logs/{record.log}",
            resource=monitored_resource_pb2.MonitoredResource(
                type="cloud_run_revision", labels={"project_id": self._project.id, **record.resource}
            ),
            severity=log_severity_pb2.LogSeverity.Value(record.severity),
            insert_id=uuid.uuid4().hex,
            labels=dict(record.labels),
            timestamp=now,
            receive_timestamp=now,
        )
        if record.request is not None:
            entry.http_request = record.request
        else:
            _set_payload(entry, record.text)
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    @property
    def methods(self) -> Methods:
        return {
            f"{SERVICE}/ListLogEntries": Method(LOGGING, LIST, ListLogEntriesRequest, self._list),
            f"{SERVICE}/TailLogEntries": StreamMethod(LOGGING, LIST, TailLogEntriesRequest, self._tail),
        }

    def _list(self, request: ListLogEntriesRequest) -> ListLogEntriesResponse:
        self._check_names(request.resource_names)
        if request.order_by not in ("", "timestamp asc", "timestamp desc"):
            raise ApiError(Code.INVALID_ARGUMENT, "order_by must be timestamp asc or timestamp desc.")
        comparisons = parse_filter(request.filter)
        found = [each for each in self._visible() if _matches(comparisons, each)]
        if request.order_by.endswith("desc"):
            found.reverse()
        begin = int(request.page_token) if request.page_token.isdecimal() else 0
        size = min(request.page_size or _PAGE, _MOST_PAGE)
        page, end = found[begin : begin + size], begin + size
        return ListLogEntriesResponse(entries=page, next_page_token=str(end) if end < len(found) else "")

    def _tail(
        self, requests: Iterator[TailLogEntriesRequest], is_active: Callable[[], bool]
    ) -> Iterator[TailLogEntriesResponse]:
        """Yield entries that are written from now on, until the client ends the call."""
        request = next(requests)
        self._check_names(request.resource_names)
        comparisons = parse_filter(request.filter)
        with self._changed:
            last = self._entries[-1].insert_id if self._entries else ""
        while is_active():
            with self._changed:
                self._changed.wait(_POLL_SECONDS)
            new = self._after(last)
            if new:
                last = new[-1].insert_id
            if found := [each for each in new if _matches(comparisons, each)]:
                yield TailLogEntriesResponse(entries=found)

    def _after(self, last: str) -> Sequence[LogEntry]:
        visible = self._visible()
        at = next((number for number, each in enumerate(visible, 1) if each.insert_id == last), 0)
        return list(islice(visible, at, None))

    def _visible(self) -> Sequence[LogEntry]:
        """The entries that have arrived: late ones in a harsh project."""
        limit = Timestamp()
        limit.GetCurrentTime()
        newest = limit.ToNanoseconds() - int(self._conditions.grant_seconds * 1e9)
        with self._changed:
            entries = list(self._entries)
        return [each for each in entries if LogEntry.pb(each).timestamp.ToNanoseconds() <= newest]

    def _check_names(self, names: Sequence[str]) -> None:
        if not names:
            raise ApiError(Code.INVALID_ARGUMENT, "At least one resource name must be specified.")
        for name in names:
            if not self._project.is_called(name.removeprefix("projects/")):
                raise permission_denied(LIST, name)


_SPECIAL: Mapping[str, str] = MappingProxyType({"WARN": "WARNING", "FATAL": "CRITICAL"})


def _set_payload(entry: LogEntry, text: str) -> None:
    """A line that is a JSON object becomes a structured entry, whose `severity` is the entry's.

    https://cloud.google.com/run/docs/logging#special-fields
    """
    content: object = None
    with suppress(ValueError):
        content = json.loads(text) if text.startswith("{") else None
    if not isinstance(content, dict):
        entry.text_payload = text
        return
    severity = str(content.pop("severity", "")).upper()
    with suppress(ValueError):
        entry.severity = log_severity_pb2.LogSeverity.Value(_SPECIAL.get(severity, severity or "DEFAULT"))
    LogEntry.pb(entry).json_payload.update(content)


def _matches(comparisons: Sequence[LogComparison], entry: LogEntry) -> bool:
    return all(each.matches(entry) for each in comparisons)
