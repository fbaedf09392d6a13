"""What is not HTTP is refused before the app sees it, and what is HTTP in an unusual form is served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.image.server_process import Response, ServerProcess, server_process

LINGER_SECONDS = 5
"""How long the server goes on reading a body that is too large (`mldeploy_limits`)."""
HOST = b"Host: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST

BROKEN = {
    "chunk size": CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n",
    "negative chunk": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a sign": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "empty chunk size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "huge chunk size": CHUNKED + b"f" * 40 + b"\r\n",
    "chunk longer than its size": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "no length at all": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n\r\n",
    "length not a number": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: ten\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n",
    "chunks and length": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": GET + b"X-Header : 1\r\n\r\n",
    "header without a name": GET + b": 1\r\n\r\n",
    "NUL in the path": b"GET /a\0b HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in a header": GET + b"X-Header: a\0b\r\n\r\n",
    "not a version": b"GET / HTTP/x.y\r\n" + HOST + b"\r\n",
    "no version": b"GET / \r\n" + HOST + b"\r\n",
    "not a method": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
TOO_LARGE = {
    "a header": GET + b"X-Header: " + b"a" * 100_000 + b"\r\n\r\n",
    "headers": GET + b"".join(b"X-Header-%d: %s\r\n" % (number, b"a" * 1000) for number in range(200)) + b"\r\n",
}


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("app"), request.param, MAX_BODY_BYTES="1000000") as running:
        yield running


def responses(server: ServerProcess, sent: bytes, count: int = 1) -> list[Response]:
    """What comes back, at most so many."""
    read: list[Response] = []
    with closing(server.client()) as client:
        client.send(sent)
        while len(read) < count and (response := client.read()):
            read.append(response)
    return read


def statuses(server: ServerProcess, sent: bytes, count: int = 1) -> list[int]:
    return [each.status for each in responses(server, sent, count)]


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_http_is_a_bad_request(server: ServerProcess, name: str) -> None:
    (response,) = responses(server, BROKEN[name], 3)
    assert (response.status, response.closes) == (400, True)


@pytest.mark.parametrize("name", TOO_LARGE)
def test_headers_have_a_limit(server: ServerProcess, name: str) -> None:
    assert statuses(server, TOO_LARGE[name], 3) == [431]


@pytest.mark.parametrize(
    "sent",
    [
        GET.replace(b"\r\n", b"\n") + b"\n",
        GET + b"X-Header: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"3\nabc\n0\n\n",
        CHUNKED + b"3\r\nabc\r\n0\r\nX: 1\n\r\n",
    ],
)
def test_a_bare_line_feed_ends_no_line(server: ServerProcess, sent: bytes) -> None:
    assert statuses(server, sent, 3) == [400]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET + b"\r\n" + GET + b"\r\n" + GET + b"\r\n", [200, 200, 200]),
        (CHUNKED + b"3;a=b\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n" + GET + b"\r\n", [200, 200]),
        (b"GET http://localhost/health HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
        (b"GET / HTTP/1.0\r\n\r\n", [200]),
        (b"GET /a%00b HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
        (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", [200]),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", [200]),
    ],
    ids=["pipelined", "extension and trailer", "absolute form", "HTTP/1.0", "%00", "h2c", "empty body"],
)
def test_unusual_requests_are_served(server: ServerProcess, sent: bytes, expected: list[int]) -> None:
    assert statuses(server, sent, len(expected)) == expected


def test_requests_that_come_together_are_all_answered_however_many(server: ServerProcess) -> None:
    assert statuses(server, (GET + b"\r\n") * 3000 + b"GET / HT", 3000) == [200] * 3000


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (b"G(T / HTTP/1.1\r\n\r\n", 400),
        (CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n", 400),
        (TOO_LARGE["a header"], 431),
    ],
    ids=["not HTTP", "malformed body", "too large a header"],
)
def test_a_request_that_is_refused_costs_none_before_it_its_response(
    server: ServerProcess, last: bytes, status: int
) -> None:
    slow = GET.replace(b"GET /", b"GET /slow?0.2")
    assert statuses(server, slow + b"\r\n" + GET + b"\r\n" + last, 4) == [200, 200, status]


def test_the_body_of_chunks_is_the_apps(server: ServerProcess) -> None:
    (response,) = responses(server, CHUNKED + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    assert response.body == b'["/", 7]'


def test_a_client_that_asks_first_is_answered_first(server: ServerProcess) -> None:
    with closing(server.client()) as client:
        client.send(b"POST / HTTP/1.1\r\n", HOST, b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        first = client.read()
        client.send(b"abc")
        second = client.read()
    assert first is not None
    assert first.status == 100
    assert second is not None
    assert (second.status, second.body) == (200, b'["/", 3]')


@pytest.mark.parametrize("framing", [b"Content-Length: 50000000", b"Transfer-Encoding: chunked"])
def test_a_client_can_read_that_its_body_is_too_large(tmp_path: Path, framing: bytes) -> None:
    """It sends all of it before it reads: a connection that is reset meanwhile would lose the response."""
    with server_process(tmp_path / "app", "wsgi", MAX_BODY_BYTES="1000000") as server:
        response = next(filter(None, (send_in_time(server, framing) for _ in range(20))))
    assert (response.status, response.closes) == (413, True)


def send_in_time(server: ServerProcess, framing: bytes) -> Response | None:
    """Send 13 MB and read. None if this machine took longer than the time for which the server goes on reading."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in framing else b"x" * 65536
    begun = time.monotonic()
    try:
        with closing(server.client()) as client:
            client.send(b"POST / HTTP/1.1\r\n", HOST, framing, b"\r\n\r\n")
            for _ in range(200):
                client.send(chunk)
            response = client.read()
            assert response is not None
            return response
    except (OSError, AssertionError):
        if time.monotonic() - begun < LINGER_SECONDS:
            raise
        return None


def test_an_error_of_the_apps_is_a_response_too(tmp_path: Path) -> None:
    with server_process(tmp_path / "app", "wsgi") as server:
        response = server.get("/fails")
        log = server.logged()
    assert response is not None
    assert response.status == 500
    assert "a file of the app's" in log


def test_a_websocket_of_an_asgi_app_is_served(tmp_path: Path) -> None:
    with server_process(tmp_path / "app", "asgi") as server:
        with connect(f"ws://127.0.0.1:{server.port}/socket") as websocket:
            websocket.send("hello")
            message = websocket.recv(timeout=60)
        assert server.stop() == 0
    assert message == "HELLO"
