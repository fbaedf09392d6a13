"""Forward HTTP requests. Standard: RFC 9110, "Message Forwarding"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import requests
from werkzeug.wrappers import Request, Response

_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"))
_CHUNK = 1 << 20


def direct_session() -> requests.Session:
    """Create a session without proxies or `.netrc` from the environment: upstream is on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True)
class Upstream:
    """A server that requests are forwarded to. url: without a path. session: knows how to reach it."""

    url: str
    session: requests.Session = field(default_factory=direct_session)


def forward_request(
    request: Request,
    upstream: Upstream,
    body: Iterator[bytes] | bytes,
    without: frozenset[str] = frozenset(),
    seconds: float = 300.0,
) -> Response:
    """Send a request to `upstream` and return its response, which is streamed. A body that is an iterator is, too.

    without: lower-case names of headers that are not forwarded. seconds: for the response to begin. Raises
    requests.RequestException.
    """
    dropped = _HOP_BY_HOP | without | {"content-length"}
    upstream_response = upstream.session.request(
        request.method,
        upstream.url + request.full_path.removesuffix("?"),
        headers={name: value for name, value in request.headers if name.lower() not in dropped},
        data=body,
        stream=True,
        allow_redirects=False,
        timeout=seconds,
    )
    headers = [(name, value) for name, value in upstream_response.headers.items() if name.lower() not in _HOP_BY_HOP]
    content = upstream_response.raw.stream(_CHUNK, decode_content=False)
    response = Response(content, upstream_response.status_code, headers=headers, direct_passthrough=True)
    response.call_on_close(upstream_response.close)
    return response


PREFIX = "/rehearsal/"
TOKEN = "X-Rehearsal-Token"  # noqa: S105 - the header's name


@dataclass(frozen=True)
class RegistryTransfer:
    """One request to the registry. status: of the response."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, order=True)
class StandInObject:
    """An object in a stand-in. kind: `ecs:cluster`. name: its name, or its id if it has none."""

    kind: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
