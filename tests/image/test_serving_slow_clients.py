"""Clients that send or read slowly, or not at all: others are served meanwhile, and they are given up in the end."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.few import few
from tests.image.server_process import Client, ServerProcess, server_process

HEALTHY = 20
"""Requests of somebody else's that must be answered while an attack goes on, half of them on new connections."""


@pytest.fixture(params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(tmp_path / "app", request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """Thousands of sockets need as many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def others_are_answered(server: ServerProcess) -> None:
    kept = server.client()
    for _ in range(HEALTHY // 2):
        for response in (kept.get("/health"), server.get("/health")):
            assert response is not None
            assert response.status == 200
    kept.close()


@contextmanager
def clients(server: ServerProcess, count: int, sent: bytes) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        opened = [server.client() for _ in range(count)]
        for each in opened:
            stack.callback(each.close)
            each.send(sent)
        yield opened


@contextmanager
def dripping(opened: list[Client], drop: bytes) -> Iterator[threading.Event]:
    """Every client sends a little from time to time. The event is set once each has sent some while others watch."""
    ended, begun = threading.Event(), threading.Event()

    def drip() -> None:
        while not ended.wait(0.05):
            for each in opened:
                with suppress(OSError):
                    each.send(drop)
            begun.set()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield begun
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Header: 1\r\n"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["header", "body", "chunks"],
)
def test_clients_that_drip_hold_nobody_up(server: ServerProcess, start: bytes, drop: bytes) -> None:
    with clients(server, 8, start) as opened, dripping(opened, drop) as begun:
        begun.wait()
        others_are_answered(server)


@pytest.mark.parametrize(
    ("count", "sent"),
    [
        (500, b"GET /hea"),
        (500, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"),
        (2000, b""),
    ],
    ids=["half headers", "half bodies", "idle"],
)
def test_a_crowd_that_is_silent_holds_nobody_up(server: ServerProcess, count: int, sent: bytes) -> None:
    with clients(server, count, sent):
        others_are_answered(server)


@pytest.mark.parametrize("path", ["/big?20000000", "/stream?200"])
def test_clients_that_do_not_read_hold_nobody_up(server: ServerProcess, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with clients(server, 8, request) as opened:
        for each in opened:
            assert each.socket.recv(1)  # the app has answered, more than the kernel keeps
        others_are_answered(server)


@pytest.mark.exhaustive
def test_a_client_that_reads_slowly_gets_all_parts_in_order(tmp_path: Path) -> None:
    """An app that makes its answer in parts goes on when the client has read, in whichever thread."""
    with server_process(tmp_path / "app", "wsgi", threads=1) as server, closing(server.client()) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.send(b"GET /stream?50 HTTP/1.0\r\n\r\n")
        for _ in range(HEALTHY):  # it reads as little as it must
            slow.buffer += slow.socket.recv(12_000)
            other = server.get("/health")
            assert other is not None
            assert other.status == 200
        response = slow.read()
    assert response is not None
    assert response.body.split(b"part")[1:] == [b" %d\n" % number + b" " * 100_000 for number in range(50)]


@pytest.mark.parametrize(
    "start", few([b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\n"], 1)
)
def test_a_request_that_never_ends_is_given_up_though_it_drips(server: ServerProcess, start: bytes) -> None:
    """However often something arrives: the whole request has a deadline."""
    with clients(server, 1, start) as (slow,), dripping([slow], b"" if b"Length" in start else b"X: 1\r\n"):
        response = slow.read()
    assert response is None or (response.status, response.closes) == (408, True)


def test_four_slow_clients_do_not_silence_an_app_with_a_gunicorn_configuration_of_its_own(tmp_path: Path) -> None:
    with (
        server_process(tmp_path / "app", "wsgi", own="threads = 2\n") as server,
        clients(server, 4, b"GET / HTTP/1.1\r\nHost: a\r\n") as opened,
        dripping(opened, b"A: b\r\n") as begun,
    ):
        assert begun.wait(60)
        others_are_answered(server)
