"""How Docker Hub says something: JSON, and its refusals in the forms that its services have."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from werkzeug.wrappers import Response

SCOPE = "access denied: insufficient scope"


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An answer of the API that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def response(self) -> Response:
        return refused(self.status, str(self))


def said(status: int, body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def refused(status: int, message: str) -> Response:
    """https://docs.docker.com/reference/api/hub/latest/schemas/error/"""
    return said(status, {"errinfo": None, "message": message})


def throttled(seconds: float) -> Response:
    """https://docs.docker.com/reference/api/hub/latest/#tag/rate-limiting. seconds: the wait that is asked for."""
    answer = said(429, {"detail": "Rate limit exceeded", "error": False})
    answer.headers["X-Retry-After"] = str(int(time.time() + seconds))
    return answer
