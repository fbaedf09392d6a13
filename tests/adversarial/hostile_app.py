"""A server on this machine that answers each path in a hostile way of its own."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

CHUNK = 1 << 16
ENDLESS = 10 << 30
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"


class HostileApp:
    """Runs until it is left. `url` is its base URL."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                if not (piece := connection.recv(CHUNK)):
                    return
                request += piece
            way = request.split(b" ", 2)[1].decode().strip("/").split("/")[-1]
            for piece, seconds in WAYS[way]():
                connection.sendall(piece)
                if seconds and self._stopped.wait(seconds):
                    return
            # What is unread when a socket is closed resets the connection, and the client loses the answer.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(CHUNK):
                pass


Answer = Iterator[tuple[bytes, float]]


def _dripped(start: bytes, rest: bytes) -> Callable[[], Answer]:
    def answer() -> Answer:
        yield start, 0
        while True:
            for number in range(len(rest)):
                yield rest[number : number + 1], 0.2

    return answer


def _flood(start: bytes, piece: bytes) -> Callable[[], Answer]:
    def answer() -> Answer:
        yield start, 0
        for _ in range(ENDLESS // len(piece)):
            yield piece, 0

    return answer


def _once(*pieces: bytes) -> Callable[[], Answer]:
    return lambda: iter([(piece, 0.0) for piece in pieces])


def _silent() -> Answer:
    yield b"", 600


def _bomb(layers: int) -> Callable[[], Answer]:
    def answer() -> Answer:
        packed = gzip.compress(bytes(1 << 20)) * 600  # members one after another: 600 MB
        for _ in range(layers - 1):
            packed = gzip.compress(packed)
        coding = b", ".join([b"gzip"] * layers)
        yield JSON + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed)) + packed, 0

    return answer


_nested = b"[" * 200_000 + b"]" * 200_000

WAYS: dict[str, Callable[[], Answer]] = {
    "drip-status": _dripped(b"HTTP/1.1 ", b"2"),
    "drip-headers": _dripped(OK, b"X: y\r\n"),
    "drip-body": _dripped(JSON + b"Content-Length: 100000\r\n\r\n", b"x"),
    "drip-chunks": _dripped(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "drip-extension": _dripped(JSON + b"Transfer-Encoding: chunked\r\n\r\n1;", b"e"),
    "drip-trailers": _dripped(JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "drip-interim": _dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drip-until-close": _dripped(OK + b"Connection: close\r\n\r\n", b"x"),
    "silent": _silent,
    "flood-body": _flood(JSON + b"Content-Length: %d\r\n\r\n" % ENDLESS, bytes(CHUNK)),
    "flood-until-close": _flood(JSON + b"\r\n", bytes(CHUNK)),
    "flood-chunks": _flood(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(CHUNK) + b"\r\n"),
    "flood-extension": _flood(JSON + b"Transfer-Encoding: chunked\r\n\r\n1;", b"e" * CHUNK),
    "flood-trailers": _flood(JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
    "flood-headers": _flood(OK, b"X: y\r\n" * 1000),
    "flood-interim": _flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "flood-status": _flood(b"HTTP/1.1 2", b"0" * CHUNK),
    "bomb": _bomb(1),
    "bomb-in-bomb": _bomb(2),
    "nested": _once(JSON + b"Content-Length: %d\r\n\r\n" % len(_nested) + _nested),
    "redirects": _once(b"HTTP/1.1 302 Found\r\nLocation: redirects\r\nContent-Length: 0\r\n\r\n"),
    "wrong-encoding": _once(JSON + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    "unknown-charset": _once(OK + b"Content-Type: text/plain; charset=nope\r\nContent-Length: 4\r\n\r\nnope"),
    "no-http": _once(b"\x00" * 100),
    "number": _once(JSON + b"Content-Length: 5000\r\n\r\n" + b"9" * 5000),
}
