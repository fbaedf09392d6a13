"""What asks for an access key in front of the app in our image: never imported by mldeploy.

gunicorn calls `wsgi` or `asgi` inside the container with what it would serve otherwise. Everything but the health check
needs `Authorization: Bearer KEY` (RFC 6750) or `X-API-Key: KEY`. The container knows no key, only SHA-256 digests of
them: a key is 256 random bits, so a digest does not lead back to it. Without a digest nothing is served.
Standards: PEP 3333; ASGI 3.0, "HTTP Connection Scope" and "Websocket Denial Response"; RFC 6585, section 4 (429).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gunicorn.util import import_app  # type: ignore[import-untyped]  # it is the container's, not ours
from mldeploy_access_keys import Denial, KeyCheck  # type: ignore[import-not-found]  # these are beside this file
from mldeploy_access_page import make_response, write_response  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from typing import Any

    Wsgi = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Asgi = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

HEALTH = unquote(os.environ.get("HEALTH", "/health").partition("?")[0], "latin-1")
_FIELDS = ("AUTHORIZATION", "X-API-KEY")
CHECK = KeyCheck(os.environ.get("MLDEPLOY_ACCESS_DIGESTS", ""), os.environ.get("MLDEPLOY_ACCESS_RATE", ""))


def is_health(method: str, path: str) -> bool:
    """Whether a request is the health check, which platforms send without a key."""
    return method in ("GET", "HEAD") and path == HEALTH


def refuse_early(method: str, path: str, fields: Iterable[tuple[str, str]]) -> bytes | None:
    """The response to a request without a valid key whose body has not arrived; None if it is to be read.

    fields: the header fields, with names in capitals. It counts nothing.
    """
    if is_health(method, path):
        return None
    values = {name: ",".join(value for each, value in fields if each == name) for name in _FIELDS}
    denial = CHECK.authenticate(values["AUTHORIZATION"], values["X-API-KEY"])
    if denial is None:
        return None
    return bytes(write_response(denial, method, ""))


def wsgi(entry: str) -> Wsgi:
    """The app at `module:attribute` or `module:function(…)`, behind the check. Raises what loading raises."""
    app: Wsgi = import_app(entry)

    def serve(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if is_health(environ["REQUEST_METHOD"], environ["PATH_INFO"]):
            return app(environ, start_response)
        bearer, key = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
        denial = CHECK.check(bearer, key)
        if denial is None:
            _hide_wsgi(environ)
            return app(environ, start_response)
        status, headers, body = make_response(denial, environ["REQUEST_METHOD"], environ.get("HTTP_ACCEPT", ""))
        start_response(f"{status} {denial.reason}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return serve


def asgi(entry: str) -> Asgi:
    """The same for an app that speaks ASGI. A WebSocket is refused before it is accepted."""
    app: Asgi = import_app(entry)

    async def serve(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        method = scope.get("method", "")
        if scope["type"] == "http" and is_health(method, scope["path"]):
            await app(scope, receive, send)
            return
        bearer, key = _field(scope, b"authorization"), _field(scope, b"x-api-key")
        denial = CHECK.check(bearer, key)
        if denial is None:
            await app({**scope, "headers": list(_without_keys(scope["headers"]))}, receive, send)
        else:
            await _deny(scope, send, denial)

    return serve


async def _deny(scope: dict[str, Any], send: Send, denial: Denial) -> None:
    method = scope.get("method", "")
    status, headers, body = make_response(denial, method, _field(scope, b"accept"))
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})  # the server answers 403
            return
        kind = "websocket.http.response"
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": f"{kind}.start", "status": status, "headers": encoded})
    await send({"type": f"{kind}.body", "body": b"" if method == "HEAD" else body})


def _hide_wsgi(environ: dict[str, Any]) -> None:
    """Take keys out of what the app sees, so that it cannot log one. Its own credentials stay."""
    if CHECK.holds_key("", environ.get("HTTP_X_API_KEY", "")):
        del environ["HTTP_X_API_KEY"]
    if CHECK.holds_key(environ.get("HTTP_AUTHORIZATION", "")):
        del environ["HTTP_AUTHORIZATION"]


def _without_keys(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers:
        text = value.decode("latin-1")
        is_key = (name == b"authorization" and CHECK.holds_key(text)) or (
            name == b"x-api-key" and CHECK.holds_key("", text)
        )
        if not is_key:
            yield name, value


def _field(scope: dict[str, Any], name: bytes) -> str:
    """A header field's value; several of one name are joined, and so no key."""
    return b",".join(value for each, value in scope["headers"] if each == name).decode("latin-1")
