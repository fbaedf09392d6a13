"""What is served of an app that has no page for its health: the app, and a page that says that it has been loaded.

Never imported by mldeploy. gunicorn calls `wsgi` or `asgi` inside the container with what it would serve otherwise, so
that a configuration of the user's own for gunicorn still holds. Standards: PEP 3333; ASGI 3.0, "HTTP Connection Scope".
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gunicorn.util import import_app  # type: ignore[import-untyped]  # it is the container's, not ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    Wsgi = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Asgi = Callable[[dict[str, Any], Callable[[], Awaitable[dict[str, Any]]], Send], Awaitable[None]]

PATH = unquote(os.environ["HEALTH"].partition("?")[0], "latin-1")
METHODS = ("GET", "HEAD")
BODY = b"loaded\n"
KIND, LENGTH = ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(BODY)))


def wsgi(entry: str) -> Wsgi:
    """The app at `module:attribute` or `module:function(…)`, the page in front of it. Raises what loading raises."""
    app: Wsgi = import_app(entry)

    def serve(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in METHODS or environ["PATH_INFO"] != PATH:
            return app(environ, start_response)
        start_response("200 OK", [KIND, LENGTH])
        return [BODY]

    return serve


def asgi(entry: str) -> Asgi:
    """The same for an app that speaks ASGI: its own start-up must be over before anything is answered."""
    app: Asgi = import_app(entry)

    async def serve(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
        is_health = scope["type"] == "http" and scope["method"] in METHODS
        if not is_health or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in (KIND, LENGTH)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY if scope["method"] == "GET" else b""})

    return serve
