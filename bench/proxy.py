"""What the proxy of a local app costs a request: `python -m bench.proxy`.

A backend that does nothing is asked directly and through `mldeploy_proxy`, each a process of its own on this machine,
on one connection that is kept, in turn. With two addresses (`python -m bench.proxy 127.0.0.1:32768 127.0.0.1:5000`) it
asks those: the port of an app's container, which `docker ps` shows, and the app's. The path is /health.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

ROUNDS, REQUESTS = 9, 500
REQUEST = b"GET /health HTTP/1.1\r\nHost: app\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status": "ok"}'
START_SECONDS = 30.0


def main() -> None:
    """Print the medians, in microseconds."""
    if len(sys.argv) == 3:
        direct, proxied = (_address(text) for text in sys.argv[1:])
        _report(direct, proxied)
        return
    with tempfile.TemporaryDirectory() as folder, _processes(Path(folder)) as (direct, proxied):
        _report(direct, proxied)


def _report(direct: tuple[str, int], proxied: tuple[str, int]) -> None:
    pairs = [(_median(direct), _median(proxied)) for _ in range(ROUNDS)]
    cost = statistics.median(through - alone for alone, through in pairs)
    alone, through = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"direct {alone:.0f} µs, through the proxy {through:.0f} µs, median of the differences {cost:.0f} µs")


def _median(address: tuple[str, int]) -> float:
    with socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return statistics.median(_ask(client) for _ in range(REQUESTS))


def _ask(client: socket.socket) -> float:
    begun = time.perf_counter()
    client.sendall(REQUEST)
    head, _, body = b"", b"", b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1 << 16)
    head, _, body = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += client.recv(1 << 16)
    return (time.perf_counter() - begun) * 1e6


@contextlib.contextmanager
def _processes(folder: Path) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    backend, proxy = _free_port(), _free_port()
    (folder / "routes.json").write_text(json.dumps({"backends": [["127.0.0.1", backend, 1]]}), encoding="utf-8")
    commands = (["bench.proxy", "--serve", str(backend)], ["mldeploy_proxy", str(proxy), str(folder)])
    running = [subprocess.Popen([sys.executable, "-m", *command]) for command in commands]
    try:
        for port in (backend, proxy):
            _await_port(port)
        yield ("127.0.0.1", backend), ("127.0.0.1", proxy)
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


class _Backend(asyncio.Protocol):
    """Answers each request, which must come in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(RESPONSE)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Backend, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        main()
