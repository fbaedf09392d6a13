"""A door in front of the Docker Engine at which any call can go wrong, before the engine has heard of it or after."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SOCKET = "/var/run/docker.sock"
PIECE = 1 << 16


class Fault(StrEnum):
    """What goes wrong. `lost` and `broken` come after the engine has done what it was asked."""

    CUT = "cut"
    """The connection ends before the engine hears of the call."""
    LOST = "lost"
    """The connection ends instead of the answer."""
    REFUSED = "refused"
    """The proxy's `status`, with its `illness` as the reason, and nothing was done."""
    BROKEN = "broken"
    """500, and yet it was done."""
    EARLY = "early"
    """200, and what comes ends before its first byte."""
    HANG = "hang"
    """Nothing comes back until the door is closed."""

    @property
    def is_late(self) -> bool:
        return self in (Fault.LOST, Fault.BROKEN)


@dataclass(frozen=True)
class Call:
    """The `number`th call (from 0), without the API's version, with ID instead of every id."""

    number: int
    verb: str

    def __str__(self) -> str:
        return f"{self.number} {self.verb}"


Rule = Callable[[Call], Fault | None]


def no_fault(call: Call) -> None:
    """The rule of a door that only looks."""


def no_strike() -> None:
    """Nothing else happens with the fault."""


class EngineProxy:
    """Serves the engine's API on a unix socket in `folder` until it is closed. `calls` is what has come through."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "engine.sock"
        self.calls: list[Call] = []
        self.rule: Rule = no_fault
        self.strike: Callable[[], object] = no_strike
        self.illness, self.status = "the engine is ill", 500
        self.closed = threading.Event()
        self._mutex = threading.Lock()
        self._server = _Server(str(self.path), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"unix://{self.path}"

    def reset(self, rule: Rule = no_fault, strike: Callable[[], object] = no_strike) -> None:
        """Count from 0 again, under another rule. `strike` is called at the moment of the fault."""
        with self._mutex:
            self.calls, self.rule, self.strike = [], rule, strike

    def enter(self, method: str, target: str) -> Fault | None:
        with self._mutex:
            path = re.sub(r"^/v[\d.]+", "", urlsplit(target).path)
            call = Call(len(self.calls), f"{method} {re.sub('[0-9a-f]{64}', 'ID', path)}")
            self.calls.append(call)
        return self.rule(call)

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, proxy: EngineProxy) -> None:
        self.proxy = proxy
        super().__init__(path, _Door)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed leaves a broken pipe: that is what it is for."""


class _Engine(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_any(self) -> None:
        self.close_connection = True
        proxy = self.server.proxy
        fault = proxy.enter(self.command, self.path)
        body = b"".join(self._body())
        if fault and not fault.is_late:
            return self._fail(fault)
        engine = _Engine("engine")
        try:
            engine.request(self.command, self.path, body, self._headers())
            answer = engine.getresponse()
            if fault:
                answer.read() if answer.getheader("Content-Length") else None
                return self._fail(fault)
            self._pass_on(answer)
        finally:
            engine.close()

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = do_any  # noqa: N815 - named by the base class

    def _headers(self) -> dict[str, str]:
        ours = ("connection", "upgrade", "content-length", "transfer-encoding")
        return {name: value for name, value in self.headers.items() if name.lower() not in ours}

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        # A stream stays one: the SDK reads it piece by piece if it comes in chunks, and that of a command as it is.
        chunked = answer.chunked
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(PIECE):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _fail(self, fault: Fault) -> None:
        self.server.proxy.strike()
        if fault is Fault.HANG:
            self.server.proxy.closed.wait()
        elif fault is Fault.EARLY:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.docker.raw-stream")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault in (Fault.REFUSED, Fault.BROKEN):
            body = json.dumps({"message": self.server.proxy.illness}).encode()
            self.send_response(self.server.proxy.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.connection.shutdown(socket.SHUT_RDWR)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's name
        """The calls are in `EngineProxy.calls`."""
