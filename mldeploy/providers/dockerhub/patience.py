"""When what was asked of Docker Hub is asked again, and for how long that is waited.

https://docs.docker.com/reference/api/hub/latest/#tag/rate-limiting: the API says with a time of day when it may be
asked again, in `X-Retry-After`; everybody else says it in `Retry-After`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

MOST_SECONDS = 60.0
"""Who asks for a longer wait is not waited for: the user is told how long it is."""


class Patience(Retry):
    """Tries everything again: whatever is made has a name of its own, and what is removed twice is gone."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return asked(response.headers) or None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if response is not None and _pool is not None and asked(response.headers) > MOST_SECONDS:
            raise MaxRetryError(_pool, url or "")  # which hands out the answer as it is
        return super().increment(method, url, response, error, _pool, _stacktrace)


PATIENCE = Patience(
    total=4, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)


def asked(headers: Mapping[str, str]) -> float:
    """How many seconds an answer asks to wait; 0 if it does not."""
    with suppress(ValueError):
        if text := headers.get("X-Retry-After"):
            return max(0.0, float(text) - time.time())
        return max(0.0, float(headers.get("Retry-After") or 0))
    return 0.0
