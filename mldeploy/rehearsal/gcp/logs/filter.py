"""The filters of Cloud Logging that are rehearsed. https://cloud.google.com/logging/docs/view/logging-query-language"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any

from google.cloud.logging_v2.types import LogEntry
from google.logging.type import log_severity_pb2  # type: ignore[import-untyped]
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from mldeploy.rehearsal.gcp.errors import ApiError, Code

_TOKEN = re.compile(
    r'\s*(?:(?P<comparison>(?P<field>[A-Za-z_][\w.]*(?:\."[^"]+")?)\s*(?P<operator>>=|<=|!=|[=<>:])\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s()"]+))|log_id\("(?P<log>[^"]+)"\)|(?P<word>\S+))'
)
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {"=": eq, "!=": ne, ">=": ge, "<=": le, ">": gt, "<": lt}
)
FIELDS: Mapping[str, str] = MappingProxyType(
    {"logName": "log_name", "textPayload": "text_payload", "insertId": "insert_id", "trace": "trace"}
)


@dataclass(frozen=True)
class LogComparison:
    """One comparison. field: as in the filter."""

    field: str
    operator: str
    value: str

    def matches(self, entry: LogEntry) -> bool:
        """Whether an entry fulfils it. Raises ApiError for a field that is not rehearsed."""
        if self.field == "timestamp":
            return self._compare(_nanoseconds(entry), _parse_time(self.value))
        if self.field == "severity":
            return self._compare(int(entry.severity), _parse_severity(self.value))
        text = _text(entry, self.field)
        if self.operator == ":":
            return self.value.lower() in (text or "").lower()
        return text is not None and self._compare(text, self.value)

    def _compare(self, left: object, right: object) -> bool:
        if self.operator not in _OPERATORS:
            raise _unparseable(self.operator)
        return bool(_OPERATORS[self.operator](left, right))


def parse_filter(text: str) -> Sequence[LogComparison]:
    """Parse comparisons that are combined by AND. Raises ApiError for all else."""
    return tuple(_parse(text))


def _parse(text: str) -> Iterator[LogComparison]:
    for token in _TOKEN.finditer(text.rstrip()):
        if token["log"]:
            yield LogComparison("logName", ":", f"/logs/{token['log'].replace('/', '%2F')}")
        elif token["comparison"]:
            value = token["value"]
            yield LogComparison(token["field"], token["operator"], _unquote(value) if value[0] == '"' else value)
        elif token["word"] in ("OR", "NOT") or token["word"][0] in "(-":
            raise ApiError(Code.UNIMPLEMENTED, f"Of filters, comparisons with AND are rehearsed: {token['word']}")
        elif token["word"] != "AND":
            raise _unparseable(token["word"])


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def _unparseable(token: str) -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, f"Unparseable filter: unrecognized node at token '{token}'")


def _text(entry: LogEntry, field: str) -> str | None:
    """The value of a field; None if the entry does not have it."""
    if field in FIELDS:
        value: str = getattr(entry, FIELDS[field])
        return value or None
    root, _, rest = field.partition(".")
    if field == "resource.type":
        return str(entry.resource.type)
    if field.startswith("resource.labels."):
        return dict(entry.resource.labels).get(field.removeprefix("resource.labels."))
    if root == "labels":
        return dict(entry.labels).get(rest.strip('"'))
    if root == "jsonPayload":
        found = json_format.MessageToDict(LogEntry.pb(entry).json_payload).get(rest.strip('"'))
        return None if found is None else str(found)
    raise ApiError(Code.UNIMPLEMENTED, f"The field {field} in a filter is not rehearsed.")


def _nanoseconds(entry: LogEntry) -> int:
    moment: Timestamp = LogEntry.pb(entry).timestamp
    return int(moment.ToNanoseconds())


def _parse_time(value: str) -> int:
    moment = Timestamp()
    try:
        moment.FromJsonString(value)
    except ValueError as error:
        raise _unparseable(value) from error
    return int(moment.ToNanoseconds())


def _parse_severity(value: str) -> int:
    try:
        return int(log_severity_pb2.LogSeverity.Value(value.upper()))
    except ValueError as error:
        raise _unparseable(value) from error
