"""The proxy in this process, in front of backends that a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from mldeploy_proxy.backends import REUSE_SECONDS, Backends, BackendSpec
from mldeploy_proxy.server import DEFAULT_LIMITS, ClientLimits, ProxyServer

Handler = Callable[["Wire"], Awaitable[None]]
"""What a backend does with a connection."""

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


@dataclass(frozen=True)
class Wire:
    """One connection, seen from either end. Whatever is awaited on it comes within minutes, or the test fails."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        return await self.until(b"\r\n\r\n")

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), 300)

    async def rest(self) -> bytes:
        """Everything until the other side ends."""
        return await asyncio.wait_for(self.reader.read(), 300)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass(frozen=True)
class Harness:
    """A proxy at `port`, and its backends."""

    port: int
    backends: Backends

    @contextlib.asynccontextmanager
    async def client(self, data: bytes = b"") -> AsyncIterator[Wire]:
        """A client that has sent `data`."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        wire.send(data)
        try:
            yield wire
        finally:
            await wire.close()

    async def ask(self, data: bytes) -> bytes:
        """All that comes back for `data`, until the proxy ends the connection."""
        async with self.client(data) as client:
            return await client.rest()


def response(body: bytes, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answering(body: bytes) -> Handler:
    """A backend that gives each request without a body the same response."""

    async def handle(wire: Wire) -> None:
        while True:
            await wire.head()
            wire.send(response(body))

    return handle


@contextlib.asynccontextmanager
async def serving(*handlers: Handler) -> AsyncIterator[list[int]]:
    """Backends, one for each handler; their ports."""
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for handler in handlers:
            backend = _Backend(handler)
            server = await asyncio.start_server(backend.accept, "127.0.0.1", 0)
            stack.push_async_callback(backend.finish)
            stack.callback(server.close)
            ports.append(int(server.sockets[0].getsockname()[1]))
        yield ports


class _Backend:
    """Lets a handler serve connections, and ends with them."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: list[asyncio.Task[None]] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._serve(Wire(reader, writer))))

    async def _serve(self, wire: Wire) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                await self._handler(wire)
        finally:
            await wire.close()

    async def finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


@contextlib.asynccontextmanager
async def proxying(
    *ports: int, limits: ClientLimits = DEFAULT_LIMITS, reuse_seconds: float = REUSE_SECONDS
) -> AsyncIterator[Harness]:
    """A proxy in front of these ports, which get equal shares."""
    backends = Backends(reuse_seconds)
    backends.set(BackendSpec("127.0.0.1", port, 1) for port in ports)
    proxy = ProxyServer(backends, limits)
    server = await proxy.listen("127.0.0.1", 0)
    try:
        yield Harness(int(server.sockets[0].getsockname()[1]), backends)
    finally:
        server.close()
        await asyncio.wait_for(proxy.finish(), 300)
        backends.set([])


@contextlib.asynccontextmanager
async def proxied(*handlers: Handler, limits: ClientLimits = DEFAULT_LIMITS) -> AsyncIterator[Harness]:
    """A proxy in front of scripted backends."""
    async with serving(*handlers) as ports, proxying(*ports, limits=limits) as harness:
        yield harness
