"""A WSGI request read once, with its limits; a response; and the error that a client caused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote

from mldeploy_model.server.json_codec import dump_json

JSON = "application/json"
CSV = "text/csv"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html; charset=utf-8"

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REASONS = {
    200: "OK",
    204: "No Content",
    308: "Permanent Redirect",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or doubtful, in a request. `row` counts from 0; no field means the whole request."""

    reason: str
    field: str | None = None
    row: int | None = None

    def as_json(self) -> dict[str, object]:
        row = {} if self.row is None else {"row": self.row}
        return {"field": self.field, "reason": self.reason, **row}

    def sentence(self) -> str:
        """One line of text, for where there is no structure."""
        row = "" if self.row is None else f" (row {self.row})"
        return f"{self.field}: {self.reason}{row}" if self.field else f"{self.reason}{row}"


class RequestError(Exception):
    """A request that is answered with a status of 4xx or 5xx, and with every problem in it."""

    def __init__(self, status: int, *problems: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(problem.sentence() for problem in problems))
        self.status = status
        self.problems = problems
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Request:
    """What the routes need of a request. The body is complete and within its limit."""

    method: str
    path: str
    query: Mapping[str, str]
    media_type: str
    charset: str
    accept: str
    body: bytes
    id: str
    port: str
    base_url: str  # with which the client reached this server, as far as its headers say it


@dataclass(frozen=True)
class Response:
    """What goes back to the client."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status_line(self) -> str:
        return f"{self.status} {_REASONS.get(self.status, 'Unknown')}"


def respond_json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dump_json(document), status, JSON, dict(headers or {}))


def respond_problems(error: RequestError) -> Response:
    """The first problem, as `mldeploy predict` prints it, and the others."""
    first, *others = error.problems
    document: dict[str, object] = {"error": first.as_json()}
    if others:
        document["more"] = [problem.as_json() for problem in others]
    return respond_json(document, error.status, error.headers)


def request_id(environ: Mapping[str, Any]) -> str:
    """The client's X-Request-ID where it is short and plain, otherwise a new one."""
    given = str(environ.get("HTTP_X_REQUEST_ID", ""))
    return given if _SANE_ID.fullmatch(given) else os.urandom(16).hex()


def read_request(environ: Mapping[str, Any], identity: str, most_bytes: int) -> Request:
    """Read a request with its body. Raises RequestError 400, 413 or 415."""
    media_type, charset = _parse_media_type(str(environ.get("CONTENT_TYPE") or ""))
    encoding = str(environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
    method = str(environ.get("REQUEST_METHOD", "GET")).upper()
    if method == "POST" and encoding not in ("", "identity"):
        raise RequestError(415, Problem(f"the body has the encoding {encoding!r}; send it without one"))
    return Request(
        method=method,
        path=_decode_path(str(environ.get("PATH_INFO") or "/")),
        query=dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)),
        media_type=media_type,
        charset=charset,
        accept=str(environ.get("HTTP_ACCEPT", "")),
        body=_read_body(environ, most_bytes) if method == "POST" else b"",
        id=identity,
        port=str(environ.get("SERVER_PORT", "")),
        base_url=_base_url(
            str(environ.get("HTTP_X_FORWARDED_PROTO") or environ.get("wsgi.url_scheme") or "http"),
            str(environ.get("HTTP_HOST") or f"localhost:{environ.get('SERVER_PORT', '8080')}"),
            str(environ.get("SCRIPT_NAME", "")),
        ),
    )


def decode_text(body: bytes, charset: str) -> str:
    """The body as text, without a byte order mark. Raises RequestError 400 or 415."""
    try:
        return body.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset)
    except UnicodeDecodeError as error:
        raise RequestError(
            400, Problem(f"the body is not {charset} text: {error.reason} at byte {error.start}")
        ) from error
    except (LookupError, ValueError) as error:  # a NUL in the name, or a codec that reads nothing
        raise RequestError(415, Problem(f"the charset {charset!r} is unknown; use utf-8")) from error


@lru_cache(maxsize=64)
def _base_url(scheme: str, host: str, script: str) -> str:
    protocol = "https" if scheme.split(",", maxsplit=1)[0].strip() == "https" else "http"
    return f"{protocol}://{host}{quote(script)}/"


def _decode_path(path: str) -> str:
    """WSGI hands the path over as latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


@lru_cache(maxsize=64)
def _parse_media_type(header: str) -> tuple[str, str]:
    """The media type and the charset of a Content-Type."""
    media_type, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return media_type.strip().lower(), parameters.get("charset", "utf-8")


def _read_body(environ: Mapping[str, Any], most_bytes: int) -> bytes:
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length and not length.isdigit():
        raise RequestError(400, Problem("the header Content-Length is not a number"))
    if length and int(length) > most_bytes:
        raise _body_too_large(most_bytes)
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    body = b"".join(_read_parts(environ["wsgi.input"], int(length) if length else most_bytes + 1))
    if len(body) > most_bytes:
        raise _body_too_large(most_bytes)
    if length and len(body) < int(length):
        raise RequestError(400, Problem(f"the body ends after {len(body)} of {length} bytes"))
    return body


def _read_parts(stream: Any, length: int) -> Iterable[bytes]:
    while length > 0:
        part = stream.read(min(length, 1 << 20))
        if not part:
            return
        length -= len(part)
        yield part


def _body_too_large(most_bytes: int) -> RequestError:
    return RequestError(
        413, Problem(f"the body may have at most {most_bytes} bytes; send the rows in several requests")
    )
