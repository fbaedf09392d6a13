"""Structured logs: one JSON object a line on stdout, one line a request, bearing an id that the client can quote.

No answer that somebody gave is ever logged: a path is, a query or a body is not.
"""

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST_PATH = 500  # keeps a line under the 4 KiB that several processes can write to one pipe without mixing them

logger = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """Turns a record into one line of JSON; `extra={"fields": {…}}` adds fields to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if has_request_context():
            line["request_id"] = g.get("request_id")
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def install(app: Flask) -> None:
    """Log every request that `app` answers, and echo its id in the answer's X-Request-ID."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    fields = {
        "method": request.method,
        "path": request.path[:_LONGEST_PATH],
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 2),
    }
    logger.info("request", extra={"fields": fields})
    return response
