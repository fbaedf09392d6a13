"""Heads of HTTP/1.1 messages: parsed strictly, and written anew for the next hop.

Standard: RFC 9112 (syntax and framing), RFC 9110, section 7.6 (fields of one connection alone). What could be read in
two ways is refused: both `Content-Length` and `Transfer-Encoding`, two lengths, a bare line feed, a folded line,
whitespace before a colon.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e\x80-\xff]+) HTTP/(\d)\.(\d)" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
_FIELD = re.compile(rb"(%b):([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
_LENGTH = re.compile(rb"\d{1,15}")

_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto")
NO_CONTENT = (204, 304)

Fields = list[tuple[bytes, bytes, bytes]]
"""The name in lower case, the name as it came, the value."""


class MalformedError(Exception):
    """A message that is not HTTP/1.1, or that could be read in two ways. status: the response to it."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Framing(NamedTuple):
    """How a body ends. length: its bytes; None: unknown. chunked: it comes in chunks."""

    length: int | None
    chunked: bool = False

    @property
    def is_empty(self) -> bool:
        return self.length == 0


EMPTY, CHUNKED, UNTIL_CLOSE = Framing(0), Framing(None, chunked=True), Framing(None)


class RequestHead(NamedTuple):
    """A client's request. is_upgrade: it asks for a WebSocket. keeps_alive: the client may send another one."""

    method: bytes
    target: bytes
    is_1_1: bool
    fields: Fields
    framing: Framing
    keeps_alive: bool
    is_upgrade: bool


class ResponseHead(NamedTuple):
    """A backend's response. keeps_alive: its connection can be used again."""

    status: int
    reason: bytes
    fields: Fields
    framing: Framing
    keeps_alive: bool


def parse_request(head: bytes) -> RequestHead:
    """Parse a request's head, without its last empty line. Raises MalformedError."""
    first, fields = _split(head)
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise MalformedError("invalid request line")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise MalformedError("only HTTP/1.0 and HTTP/1.1 are supported", 505)
    if method == b"CONNECT":
        raise MalformedError("CONNECT is not supported", 501)
    is_1_1 = minor != b"0"
    hosts = sum(name == b"host" for name, _, _ in fields)
    if hosts > 1 or (is_1_1 and not hosts):
        raise MalformedError("exactly one Host is required")
    framing = _request_framing(fields, is_1_1)
    options = _options(fields)
    is_upgrade = is_1_1 and b"upgrade" in options and framing.is_empty and _asks_for_websocket(fields)
    return RequestHead(method, target, is_1_1, fields, framing, is_1_1 and b"close" not in options, is_upgrade)


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """Parse the head of a response to a request with that method. Raises MalformedError."""
    first, fields = _split(head)
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise MalformedError("invalid status line")
    minor, status = match[1], int(match[2])
    framing = _response_framing(fields, status, method)
    keeps_alive = minor == b"1" and b"close" not in _options(fields) and framing is not UNTIL_CLOSE
    return ResponseHead(status, match[3] or b"", fields, framing, keeps_alive)


def forwarded_request(request: RequestHead, client: bytes) -> bytes:
    """Write the request for the backend. client: the address of the one who sent it."""
    version = b"1.1" if request.is_1_1 else b"1.0"
    lines = [b"%b %b HTTP/%b" % (request.method, request.target, version)]
    seen = {name: [client if name == _FORWARDED[0] else b"http"] for name in _FORWARDED}
    for name, original, value in _passed_on(request.fields):
        if name in seen:
            seen[name].insert(-1, value)
        elif name.replace(b"_", b"-") not in seen:  # WSGI gives both spellings one name
            lines.append(b"%b: %b" % (original, value))
    lines += [b"X-Forwarded-For: " + b", ".join(seen[_FORWARDED[0]])]
    lines += [b"X-Forwarded-Proto: " + b", ".join(seen[_FORWARDED[1]])]
    if request.framing.chunked:
        lines.append(b"Transfer-Encoding: chunked")
    if request.is_upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket")
    elif not request.is_1_1:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def forwarded_response(response: ResponseHead, *, close: bool) -> bytes:
    """Write the response for the client. close: the connection ends after it."""
    lines = [b"HTTP/1.1 %d %b" % (response.status, response.reason)]
    drops_length = response.framing.chunked
    for name, original, value in _passed_on(response.fields):
        if not (drops_length and name == b"content-length"):
            lines.append(b"%b: %b" % (original, value))
    if response.framing.chunked:
        lines.append(b"Transfer-Encoding: chunked")
    if response.status == 101:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket")
    elif close and response.status >= 200:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def plain_response(status: int, reason: str, text: str) -> bytes:
    """Write a response of the proxy's own, after which the connection ends."""
    body = text.encode() + b"\n"
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _split(head: bytes) -> tuple[bytes, Fields]:
    first, *lines = head.split(b"\r\n")
    fields: Fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise MalformedError("invalid header field")
        name, value = match.groups()
        fields.append((name.lower(), name, value.strip(b" \t")))
    return first, fields


def _request_framing(fields: Fields, is_1_1: bool) -> Framing:
    lengths, codings = _framing_values(fields)
    if codings and (lengths or not is_1_1):
        raise MalformedError("Transfer-Encoding is ambiguous here")
    if codings:
        if codings != [b"chunked"]:
            raise MalformedError("only chunked is supported", 501)
        return CHUNKED
    return _sized(lengths) if lengths else EMPTY


def _response_framing(fields: Fields, status: int, method: bytes) -> Framing:
    if method == b"HEAD" or status < 200 or status in NO_CONTENT:
        return EMPTY
    lengths, codings = _framing_values(fields)
    if codings:
        if codings != [b"chunked"]:
            raise MalformedError("only chunked is supported")
        return CHUNKED
    return _sized(lengths) if lengths else UNTIL_CLOSE


def _framing_values(fields: Fields) -> tuple[list[bytes], list[bytes]]:
    lengths = [value for name, _, value in fields if name == b"content-length"]
    return lengths, [value.lower() for name, _, value in fields if name == b"transfer-encoding"]


def _sized(lengths: list[bytes]) -> Framing:
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise MalformedError("invalid Content-Length")
    return Framing(int(lengths[0]))


def _options(fields: Fields) -> set[bytes]:
    """The options of the field Connection."""
    values = [value for name, _, value in fields if name == b"connection"]
    return {option.strip(b" \t").lower() for value in values for option in value.split(b",")} if values else set()


def _asks_for_websocket(fields: Fields) -> bool:
    """No other protocol is let through: HTTP/2 in clear text would pass requests that nobody has looked at."""
    return [value.lower() for name, _, value in fields if name == b"upgrade"] == [b"websocket"]


def _passed_on(fields: Fields) -> Fields:
    """The fields that are not for this connection alone. Those of a length are never among these."""
    left_out = _ONE_CONNECTION
    options = _options(fields)
    if options:
        left_out = left_out | (options - {b"content-length", b"host", *_FORWARDED})
    return [field for field in fields if field[0] not in left_out]
