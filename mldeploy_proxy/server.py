"""The proxy's clients, their limits, and its end."""

from __future__ import annotations

import asyncio
import itertools
import resource
import select
import signal
import time
from typing import NamedTuple

from mldeploy_proxy.backends import Backends, UnreachableError
from mldeploy_proxy.exchange import BackendError, exchange
from mldeploy_proxy.head import MalformedError, plain_response
from mldeploy_proxy.stream import FOREVER, BrokenError, Stream

LINGER_SECONDS = 2.0
"""For a client to read a response although it is still sending."""
SWEEP_SECONDS = 0.25

_REASONS = {
    400: "Bad Request",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}


class ClientLimits(NamedTuple):
    """clients: connections at a time. idle: seconds that one may wait for a request. head: seconds for a header.

    new: seconds for which an idle client counts as one that is about to send its request: slow ones make way before it.
    """

    clients: int = 1024
    idle: float = 75.0
    head: float = 10.0
    new: float = 1.0


DEFAULT_LIMITS = ClientLimits()


class ProxyServer:
    """Serves clients until it is told to stop."""

    def __init__(self, backends: Backends, limits: ClientLimits = DEFAULT_LIMITS) -> None:
        self.backends = backends
        self._limits = limits
        self._clients: dict[ClientStream, asyncio.Task[None]] = {}
        self._most = min(limits.clients, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3)
        self._is_stopping = False
        self._empty = asyncio.Event()
        self._sweeper: asyncio.Future[None] | None = None

    async def run(self, port: int) -> None:
        """Serve until SIGTERM or SIGINT; then finish the requests that have been received."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        server = await self.listen("0.0.0.0", port)  # noqa: S104 - the container's own
        await stop.wait()
        server.close()
        await self.finish()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Accept clients from now on."""
        self._sweeper = asyncio.ensure_future(self._sweep())
        return await asyncio.get_running_loop().create_server(lambda: ClientStream(self), host, port, backlog=1024)

    async def finish(self) -> None:
        """Close what is idle, and tunnels, and return once the requests are answered."""
        self._is_stopping = True
        for client in self._clients:
            if client.is_idle or client.is_tunnel:
                client.close()
        while self._clients:
            self._empty.clear()
            await self._empty.wait()
        if self._sweeper:
            self._sweeper.cancel()

    def admit(self, client: ClientStream) -> None:
        """Serve a new connection. If there are too many, an idle or slow one makes way; if there is none, this one."""
        if len(self._clients) >= self._most:
            open_ones = [each for each in self._clients if not each.transport.is_closing()]
            if len(open_ones) >= self._most and not _make_room(open_ones, self._limits.new):
                client.abort()
                return
        self._clients[client] = asyncio.ensure_future(self._serve(client))

    async def _serve(self, client: ClientStream) -> None:
        try:
            while await self._answer(client):
                pass
            await self._linger(client)
        except BrokenError:
            client.abort()
        finally:
            client.close()
            del self._clients[client]
            if not self._clients:
                self._empty.set()

    async def _answer(self, client: ClientStream) -> bool:
        """Answer one request; True if there may be another one."""
        try:
            client.begin_waiting()
            head = await client.read_request(self._limits.idle, self._limits.head)
            if head is None:
                return False
            return await exchange(client, head, self.backends, closing=self._is_stopping) and not self._is_stopping
        except MalformedError as error:
            reason = _REASONS.get(error.status, "Bad Request")
            await client.send(plain_response(error.status, reason, f"{reason}: {error}"))
        except UnreachableError:
            await client.send(plain_response(502, "Bad Gateway", "The app does not accept connections."))
        except BackendError as error:
            await client.send(plain_response(502, "Bad Gateway", f"The app did not answer: {error}."))
        return False

    @staticmethod
    async def _linger(client: ClientStream) -> None:
        """Read on for a moment: a connection that is closed with unread bytes is reset, and its response lost."""
        client.is_lingering, client.deadline = True, time.monotonic() + LINGER_SECONDS
        client.end_sending()
        client.buffer.clear()
        while await client.fill():
            client.buffer.clear()

    async def _sweep(self) -> None:
        """Close what is too late. One task for all: a timer for each read would cost more than the read."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            self.backends.close_idle()
            for client in list(self._clients):
                if client.deadline < now:
                    client.expire()


def _make_room(clients: list[ClientStream], new: float) -> bool:
    """Abort the longest idle client, or else the one that has been waited for longest. False if there is none."""
    idle = sorted((each for each in clients if each.is_idle), key=lambda each: each.since)
    slow = sorted((each for each in clients if each.is_waited_for), key=lambda each: each.since)
    settled = time.monotonic() - new
    order = (each for each in idle if each.since < settled), slow, idle
    for client in itertools.chain(*order):
        if not (client.is_idle and client.has_sent):  # this loop may not have come to read it yet
            client.abort()
            return True
    return False


class ClientStream(Stream):
    """A client's connection. is_idle: it waits for a request, and nothing of one has arrived. since: when being idle,
    or the request, began."""

    def __init__(self, server: ProxyServer) -> None:
        super().__init__()
        self.is_idle = True
        self.is_lingering = False
        self.since = time.monotonic()
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.admit(self)

    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            self.is_idle, self.since = False, time.monotonic()
        super().data_received(data)

    @property
    def has_sent(self) -> bool:
        """Whether something waits in the kernel that has not been received yet."""
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    @property
    def is_waited_for(self) -> bool:
        """Whether its request is incomplete, or its response waits for it: it is the client who is slow."""
        return self.is_reading_head or self.is_lingering or self.is_behind or self.patience != FOREVER

    def begin_waiting(self) -> None:
        """Wait for a request, of which some may have arrived already."""
        self.is_idle, self.since = not self.buffer, time.monotonic()

    def expire(self) -> None:
        """End it: its time is over."""
        if self.is_reading_head:
            self.transport.write(plain_response(408, "Request Timeout", "The request header took too long."))
            self.close()
        else:
            self.abort()
