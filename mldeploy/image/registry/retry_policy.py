"""The retry policy for registries and token endpoints.

Standard: RFC 9110, "Retry-After". Docker Hub's API sends a timestamp in `X-Retry-After`:
https://docs.docker.com/reference/api/hub/latest/#tag/rate-limiting
"""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self

from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

MOST_SECONDS = 60.0
"""A longer wait is not made: the response is returned as it is."""
TRANSIENT_STATUSES = (429, 500, 502, 503, 504)


class RegistryRetryPolicy(Retry):
    """Waits as the response requires, MOST_SECONDS at most. urllib3 has no limit and knows only `Retry-After`."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return parse_retry_after(response.headers) or None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if response is not None and _pool is not None and parse_retry_after(response.headers) > MOST_SECONDS:
            raise MaxRetryError(_pool, url or "")
        return super().increment(method, url, response, error, _pool, _stacktrace)


def parse_retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait that a response requires, or 0."""
    with suppress(ValueError):
        if moment := headers.get("X-Retry-After"):
            return max(0.0, float(moment) - time.time())
        text = headers.get("Retry-After") or "0"
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
        return max(0.0, seconds)
    return 0.0
