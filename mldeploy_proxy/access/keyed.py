"""`python3 -m mldeploy_proxy.access.keyed PORT STATE_FOLDER`: the proxy, which asks for access keys.

The check is the one of the server in our images. The digests of the keys come with the routes. Without them, only the
health check is answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mldeploy_access_keys import KeyCheck  # type: ignore[import-not-found]  # these are beside the package there
from mldeploy_access_page import write_response  # type: ignore[import-not-found]

from mldeploy_proxy.backends import Backends
from mldeploy_proxy.control import ROUTES
from mldeploy_proxy.control_server import ControlServer
from mldeploy_proxy.head import RequestHead, parse_request
from mldeploy_proxy.server import ClientStream, ProxyServer

_KEY_FIELDS = (b"authorization", b"x-api-key")


class AccessGuard:
    """Says which requests may pass."""

    def __init__(self) -> None:
        self._health = b""
        self._settings = ("", "")
        self._check = KeyCheck("")

    def load(self, text: str) -> None:
        """Take the keys of the routes, if they are others than before: the counters of a rate go on."""
        access = json.loads(text).get("access") or {}
        self._health = str(access.get("health", "")).partition("?")[0].encode()
        settings = str(access.get("digests", "")), str(access.get("rate", ""))
        if settings != self._settings:
            self._settings, self._check = settings, KeyCheck(*settings)

    def refuse(self, request: RequestHead) -> bytes | None:
        """The response to a request that may not pass."""
        is_health = request.method in (b"GET", b"HEAD") and request.target.partition(b"?")[0] == self._health
        if is_health and self._health:
            return None
        authorization, key = (self._field(request, name) for name in _KEY_FIELDS)
        denial = self._check.check(authorization, key)
        if denial is None:
            return None
        return bytes(write_response(denial, request.method.decode(), self._field(request, b"accept")))

    def without_keys(self, head: bytes, request: RequestHead) -> bytes:
        """The head that the app gets: it needs no key, and so it cannot log one."""
        if not any(name in _KEY_FIELDS for name, _, _ in request.fields):
            return head
        first, *lines = head.split(b"\r\n")
        kept = (line for line, field in zip(lines, request.fields) if not self._holds_key(field[0], field[2]))
        return b"\r\n".join((first, *kept))

    def _holds_key(self, name: bytes, value: bytes) -> bool:
        text = value.decode("latin-1")
        if name == _KEY_FIELDS[0]:
            return bool(self._check.holds_key(text))
        return name == _KEY_FIELDS[1] and bool(self._check.holds_key("", text))

    @staticmethod
    def _field(request: RequestHead, name: bytes) -> str:
        return b",".join(value for each, _, value in request.fields if each == name).decode("latin-1")


class KeyedControlServer(ControlServer):
    """Takes the keys with the routes."""

    def __init__(self, backends: Backends, folder: Path, guard: AccessGuard) -> None:
        super().__init__(backends, folder)
        self._guard = guard
        guard.load((folder / ROUTES).read_text(encoding="utf-8"))

    async def _answer(self, text: str) -> int:
        active = await super()._answer(text)
        if "backends" in json.loads(text):
            self._guard.load(text)
        return active


class KeyedProxyServer(ProxyServer):
    """Serves clients that send a key."""

    def __init__(self, backends: Backends, guard: AccessGuard) -> None:
        super().__init__(backends)
        self.guard = guard

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Accept clients from now on."""
        self._sweeper = asyncio.ensure_future(self._sweep())
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: KeyedClientStream(self), host, port, backlog=1024)


class KeyedClientStream(ClientStream):
    """A client's connection. What has no key is answered before its body is read, and gets no further."""

    _server: KeyedProxyServer

    async def read_request(self, idle: float, within: float) -> bytes | None:
        """As in `Stream`; None after a refusal. Raises MalformedError, BrokenError."""
        head = await super().read_request(idle, within)
        if head is None:
            return None
        request = parse_request(head)
        response = self._server.guard.refuse(request)
        if response is None:
            return self._server.guard.without_keys(head, request)
        await self.send(response)
        return None


async def serve(port: int, folder: Path) -> None:
    """Serve the routes that `folder` holds."""
    backends, guard = Backends(), AccessGuard()
    await KeyedControlServer(backends, folder, guard).listen()
    await KeyedProxyServer(backends, guard).run(port)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
