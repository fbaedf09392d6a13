"""The containers behind the proxy: who gets the next request, and the connections to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mldeploy_proxy.stream import Stream

CONNECT_SECONDS = 3.0
RETRY_SECONDS = 0.1
REUSE_SECONDS = 1.0
"""A connection that has been idle for longer is not used again. Servers close theirs after 2 s or more: so no request
meets a connection that is being closed."""
MAX_IDLE = 64
"""Idle connections to one backend."""


class UnreachableError(Exception):
    """No backend accepts a connection, or one that must does not."""


class BackendSpec(NamedTuple):
    """host: a name or an address. weight: its share of the requests; 0: none."""

    host: str
    port: int
    weight: int


class BackendPool:
    """One container. active: requests that it is answering. A tunnel (WebSocket) is not one of them.

    reuse_seconds: see REUSE_SECONDS.
    """

    def __init__(self, spec: BackendSpec, reuse_seconds: float = REUSE_SECONDS) -> None:
        self._reuse_seconds = reuse_seconds
        self.spec = spec
        self.active = 0
        self.credit = 0
        self._idle: list[tuple[float, Stream]] = []
        self._address: str | None = None

    def reuse(self) -> Stream | None:
        """Return a connection that has just been used."""
        since = time.monotonic() - self._reuse_seconds
        while self._idle:
            stamp, stream = self._idle.pop()
            if stamp >= since and stream.is_usable:
                return stream
            stream.close()
        return None

    def keep(self, stream: Stream) -> None:
        """Keep a connection for the next request."""
        if self.spec.weight and stream.is_usable and len(self._idle) < MAX_IDLE:
            self._idle.append((time.monotonic(), stream))
        else:
            stream.close()

    def close_idle(self, before: float = float("inf")) -> None:
        """Close the connections that have been idle since `before` (`time.monotonic`)."""
        for stamp, stream in self._idle:
            if stamp < before:
                stream.close()
        self._idle = [each for each in self._idle if each[0] >= before]

    async def connect(self) -> Stream:
        """Open a connection. Raises OSError. A container that was restarted may have another address than before."""
        known = self._address
        if known is not None:
            try:
                return await self._open(known)
            except OSError:
                self._address = None
        loop = asyncio.get_running_loop()
        found: Iterable[Any] = await loop.getaddrinfo(self.spec.host, self.spec.port, proto=6)
        address = next(str(each[4][0]) for each in found)
        stream = await self._open(address)
        self._address = address
        return stream

    async def _open(self, address: str) -> Stream:
        made = asyncio.get_running_loop().create_connection(Stream, address, self.spec.port)
        try:
            return (await asyncio.wait_for(made, CONNECT_SECONDS))[1]
        except asyncio.TimeoutError as error:
            raise OSError("no answer in time") from error


async def check_reachable(spec: BackendSpec, seconds: float) -> None:
    """Connect to a backend once, within so many seconds. Raises UnreachableError with the reason."""
    end = time.monotonic() + seconds
    while True:
        try:
            (await BackendPool(spec).connect()).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise UnreachableError(f"{spec.host}:{spec.port} cannot be reached: {error}") from error
        await asyncio.sleep(RETRY_SECONDS)


class Backends:
    """All containers that may get requests, or are still answering some. reuse_seconds: see REUSE_SECONDS."""

    def __init__(self, reuse_seconds: float = REUSE_SECONDS) -> None:
        self._reuse_seconds = reuse_seconds
        self._all: list[BackendPool] = []

    def set(self, specs: Iterable[BackendSpec]) -> None:
        """Send requests to these from now on. What others are answering goes on."""
        known = {(each.spec.host, each.spec.port): each for each in self._all}
        wanted = {(spec.host, spec.port): spec for spec in specs}
        for place, backend in known.items():
            backend.spec = wanted.get(place, backend.spec._replace(weight=0))
            backend.credit = 0
            if not backend.spec.weight:
                backend.close_idle()
        self._all = [each for place, each in known.items() if place in wanted or each.active]
        self._all += [BackendPool(spec, self._reuse_seconds) for place, spec in wanted.items() if place not in known]

    def active(self, host: str) -> int:
        """How many requests a container is answering."""
        return sum(each.active for each in self._all if each.spec.host == host)

    def close_idle(self) -> None:
        """Close connections that will not be used again."""
        for each in self._all:
            each.close_idle(time.monotonic() - self._reuse_seconds)

    def choices(self) -> Iterator[BackendPool]:
        """The backends for one request: first the one whose turn it is by the weights, then the others.

        The turns are evenly spread (smooth weighted round robin).
        """
        able = [each for each in self._all if each.spec.weight]
        if len(able) > 1:
            for each in able:
                each.credit += each.spec.weight
            able.sort(key=lambda each: -each.credit)
            able[0].credit -= sum(each.spec.weight for each in able)
        yield from able
