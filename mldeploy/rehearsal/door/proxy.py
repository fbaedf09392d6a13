"""Handing an HTTP request on. Standard: RFC 9110, "Message Forwarding"."""

from __future__ import annotations

from collections.abc import Iterator

import requests
from werkzeug.wrappers import Request, Response

_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"))
_CHUNK = 1 << 20


def sent_on(
    request: Request, upstream: str, body: Iterator[bytes] | bytes, without: frozenset[str] = frozenset()
) -> Response:
    """The answer of `upstream`, a URL without a path, which is not held in memory; nor is a body that is an iterator.

    without: headers, in small letters, that are not handed on. Raises requests.RequestException.
    """
    dropped = _HOP_BY_HOP | without | {"content-length"}
    answer = requests.request(
        request.method,
        upstream + request.full_path.removesuffix("?"),
        headers={name: value for name, value in request.headers if name.lower() not in dropped},
        data=body,
        stream=True,
        allow_redirects=False,
        timeout=300,
    )
    kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
    content = answer.raw.stream(_CHUNK, decode_content=False)
    response = Response(content, answer.status_code, headers=kept, direct_passthrough=True)
    response.call_on_close(answer.close)
    return response
