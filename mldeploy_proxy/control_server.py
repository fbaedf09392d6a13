"""The proxy's side of `control`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

from mldeploy_proxy.backends import Backends, BackendSpec, UnreachableError, check_reachable
from mldeploy_proxy.control import MAX_REQUEST, SOCKET, parse_routes, read_routes, write_routes

LOOK_EVERY = 0.02
REACH_SECONDS = 5.0


class ControlServer:
    """Changes the routes of a proxy. Only those who can enter its container reach it."""

    def __init__(self, backends: Backends, folder: Path) -> None:
        self._backends, self._folder = backends, folder
        backends.set(BackendSpec(*each) for each in read_routes(folder))

    async def listen(self) -> None:
        """Listen from now on."""
        path = self._folder / SOCKET
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        await asyncio.start_unix_server(self._serve, str(path))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            text = (await reader.read(MAX_REQUEST)).decode()
            try:
                response = json.dumps({"active": await self._answer(text)})
            except (ValueError, TypeError, UnreachableError) as error:
                response = json.dumps({"error": str(error)})
            writer.write(response.encode())
            await writer.drain()
        writer.close()

    async def _answer(self, text: str) -> int:
        document = json.loads(text)
        if "backends" in document:
            routes = parse_routes(text)
            if document.get("check"):
                for each in (BackendSpec(*route) for route in routes):
                    await check_reachable(each, REACH_SECONDS)
            write_routes(self._folder, text)
            self._backends.set(BackendSpec(*each) for each in routes)
        if "drain" not in document:
            return 0
        host, end = str(document["drain"]), time.monotonic() + float(document["seconds"])
        while (active := self._backends.active(host)) and time.monotonic() < end:  # noqa: ASYNC110 - cheap, and rare
            await asyncio.sleep(LOOK_EVERY)
        return active
