"""What goes through the API server into a pod: its port, and commands. Standard: RFC 6455, with Kubernetes' channels.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from wsproto.frame_protocol import FrameProtocol, Opcode

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.gateway.serving import break_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ECHO, FAIL, DEAF = "echo", "fail", "deaf"
"""Commands that there are in every pod: one says its words, and what it is given; the next ends with 3.

The last one asks for input, and ends at the first piece of it.
"""
DEAF_ENDED = threading.Event()
"""Set once the last one's connection has ended: what the client sends from then on breaks it."""


class Channels:
    """The server's side of one websocket."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.connection: socket.socket = environ["werkzeug.socket"]
        self._frames = FrameProtocol(client=False, extensions=[])
        accept = base64.b64encode(hashlib.sha1((environ["HTTP_SEC_WEBSOCKET_KEY"] + _GUID).encode()).digest())  # noqa: S324
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def send(self, channel: int, data: bytes) -> None:
        self.connection.sendall(self._frames.send_data(bytearray(bytes([channel]) + data), fin=True))

    def received(self) -> Iterator[bytes]:
        """What has come, each a channel's number and its data. Raises ConnectionError at the end."""
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError
        self._frames.receive_bytes(data)
        for frame in self._frames.received_frames():
            if frame.opcode is Opcode.CLOSE:
                raise ConnectionError
            if isinstance(frame.payload, bytes | bytearray):
                yield bytes(frame.payload)

    def end(self) -> ConnectionResetError:
        with suppress(OSError):
            self.connection.sendall(self._frames.close(1000))
        return break_connection(self.connection)


def forward(environ: WSGIEnvironment, port: int) -> ConnectionResetError:
    """Lead to the app of a pod, until either side has said all."""
    channels = Channels(environ)
    number = environ["QUERY_STRING"].removeprefix("ports=")
    for channel in (0, 1):
        channels.send(channel, int(number).to_bytes(2, "little"))
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as app:
        while True:
            ready = readable([channels.connection, app])
            if app in ready:
                data = app.recv(65536)
                if not data:
                    break
                channels.send(0, data)
            if channels.connection in ready:
                for each in channels.received():
                    app.sendall(each[1:])
    return channels.end()


def execute(environ: WSGIEnvironment, words: list[str], *, stdin: bool) -> ConnectionResetError:
    """Run one of the commands that there are."""
    channels = Channels(environ)
    with suppress(OSError):
        if words[0] == ECHO:
            channels.send(1, " ".join(words[1:]).encode() + b"\n")
            if stdin:
                for each in channels.received():
                    channels.send(1, each[1:])
            channels.send(3, json.dumps({"status": "Success"}).encode())
        elif words[0] == FAIL:
            channels.send(2, b"no\n")
            causes = [{"reason": "ExitCode", "message": "3"}]
            channels.send(3, json.dumps({"status": "Failure", "details": {"causes": causes}}).encode())
        elif words[0] == DEAF:
            channels.send(1, b"input?\n")
            next(channels.received())
            channels.send(3, json.dumps({"status": "Success"}).encode())
            ended = channels.end()
            DEAF_ENDED.set()
            return ended
        else:
            output = f'exec: "{words[0]}": executable file not found in $PATH'
            channels.send(3, json.dumps({"status": "Failure", "message": output}).encode())
    return channels.end()


class App:
    """What answers in every pod: its health, and one prediction, which a test may change."""

    def __init__(self) -> None:
        app = self
        self.prediction: object = [1]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say({"status": "ok"})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._say(app.prediction)

            def _say(self, what: object) -> None:
                body = json.dumps(what).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                pass

        self.handler = Handler
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
