"""The server of our images as a process of this machine, and clients that speak to it through plain sockets."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mldeploy.image

APP = """\
import json
import os
import time


def is_held(path):
    return path == "/held" and not os.path.exists("released")


def answer(path, query, body):
    if path == "/slow":
        time.sleep(float(query))
    while is_held(path):
        time.sleep(0.01)
    return b"z" * int(query) if path == "/big" else json.dumps([path, len(body)]).encode()


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"part %d\\n" % number + b" " * 100_000 for number in range(int(environ["QUERY_STRING"])))
    if environ["PATH_INFO"] == "/fails":
        raise FileNotFoundError("a file of the app's")
    content = answer(environ["PATH_INFO"], environ["QUERY_STRING"], body)
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


async def asgi(scope, receive, send):
    import asyncio

    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.close", "code": 1000})
        return
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    query = scope["query_string"].decode()
    if scope["path"] == "/slow":
        await asyncio.sleep(float(query))
        query = "0"
    while is_held(scope["path"]):
        await asyncio.sleep(0.01)
    content = answer(scope["path"], query, body)
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
"""
PATIENCE = 300
"""Seconds after which a test gives up: no measure of what the server should take."""


@dataclass(frozen=True)
class Response:
    """What a client has read. body: as it is on the wire."""

    status: int
    headers: str
    body: bytes

    @property
    def closes(self) -> bool:
        return "connection: close" in self.headers.lower()


class Client:
    """One connection. context: for TLS."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def read(self) -> Response | None:
        """The next response; None if the server has closed the connection instead. Raises ConnectionResetError."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        if text.startswith("HTTP/1.1 100"):
            return Response(100, text, b"")
        length = re.search(r"(?i)^content-length: (\d+)", text, re.MULTILINE)
        while length is None or len(self.buffer) < int(length[1]):
            if not self._more():
                break
        size = int(length[1]) if length else len(self.buffer)
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Response(int(text.split()[1]), text, body)

    def get(self, path: str = "/") -> Response | None:
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self.read()

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        self.buffer += data
        return data


@dataclass
class ServerProcess:
    """gunicorn with our configuration. log: a file. context: its clients', for TLS."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    context: ssl.SSLContext | None = None

    def client(self) -> Client:
        return Client(self.port, self.context)

    def get(self, path: str = "/") -> Response | None:
        """A request on a connection of its own."""
        client = self.client()
        try:
            return client.get(path)
        finally:
            client.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def release(self) -> None:
        """Let the app answer those who have asked for `/held`."""
        (self.log.parent / "released").touch()

    def logged(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def server_process(
    folder: Path,
    interface: str,
    workers: int = 1,
    threads: int = 2,
    own: str = "",
    *,
    entry: str = "",
    app: str = APP,
    worker: str = "",
    context: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[ServerProcess]:
    """The app above, served as our images serve it. own: the text of the user's gunicorn.conf.py.

    entry: what gunicorn is to serve, instead of the app itself. app: the text of another one.
    worker: another worker class. context: its clients', for TLS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in (Path(mldeploy.image.__file__).parent / "server").glob("*.py"):
        shutil.copy(path, folder)
    (folder / "served.py").write_text(app)
    asgi = ["--worker-class=mldeploy_asgi.AsgiWorker"] if interface == "asgi" else []
    asgi = [f"--worker-class={worker}"] if worker else asgi
    configuration = ["--config=gunicorn_conf.py"]
    if own:
        (folder / "gunicorn.conf.py").write_text(own)
        configuration = ["--worker-class=mldeploy_worker.WsgiWorker"]
    program = [sys.executable, "-m", "gunicorn", *configuration, *asgi]
    settings = {"THREADS": str(threads), "WEB_CONCURRENCY": str(workers), "HEALTH": "/health", **environment}
    log = folder / "log"
    # The server gets the socket and not its number: somebody else could take a port that is free for a moment.
    with log.open("wb") as output, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        process = subprocess.Popen(
            [*program, f"--bind=fd://{listener.fileno()}", entry or f"served:{interface}"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1", "HOME": str(folder), **settings},
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
        )
    server = ServerProcess(process, port, log, context)
    try:
        _await_answer(server)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _await_answer(server: ServerProcess) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if server.get():
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(server.logged())
