"""The worker class with which gunicorn serves an ASGI app in our image: never imported by mldeploy.

It is uvicorn's own, whose clients have the same deadlines as those of a WSGI app and which loses no request when it
stops. Up to 0.35 only uvicorn has it, and from then on a package of its own; which of them there is depends on the
version that the app's requirements name.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it is the container's, not ours
from mldeploy_guard import guarded  # type: ignore[import-not-found]  # these are beside this file in the image
from mldeploy_listener import SETTLE, is_held_by, refuse_handshakes  # type: ignore[import-not-found]
from uvicorn.server import Server

try:
    from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]
except ImportError:
    from uvicorn.workers import UvicornWorker

__all__ = ["AsgiWorker", "accept_all"]

MOST_ACCEPTED = 4096
"""Connections that are taken from a backlog at a stop: more than gunicorn's 2,048, and an end to a flood."""
LOOK = 0.05
"""Seconds between two looks at who is left, while the worker stops."""


class GracefulServer(Server):
    """uvicorn's server, which gives clients up that have run out of time, and answers what has come before it stops."""

    def __init__(self, config: Any, worker: Any) -> None:
        super().__init__(config)
        self._worker = worker

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second. Whether to stop."""
        if counter % 5 == 0:
            self._check_clients(0)
        return await super().on_tick(counter) or not self._has_parent()

    def _has_parent(self) -> bool:
        """Whether gunicorn's arbiter lives. If it was killed, nobody else ends a worker that stops too slowly."""
        if self._worker.ppid == os.getppid():
            return True
        self._worker.log.info("Parent changed, shutting down: %s", self._worker)
        self.config.timeout_graceful_shutdown = self._worker.cfg.graceful_timeout
        return False

    async def shutdown(self, sockets: Any = None) -> None:
        """Called after SIGTERM, when the worker has answered as many requests as it may, or without an arbiter."""
        begun = time.monotonic()
        # In place: responses that are being made have a reference to it.
        self.server_state.default_headers.append((b"connection", b"close"))
        accepted: list[socket.socket] = []
        if not any(is_held_by(self._worker.ppid, each) for each in sockets or ()):  # else others go on listening
            for each in sockets or ():
                refuse_handshakes(each)
            await asyncio.sleep(SETTLE)
            accepted = accept_all(sockets or ())
        for each in (*self.servers, *(sockets or ())):
            each.close()
        for each in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self._make_protocol, each)
        await asyncio.sleep(0)  # what was accepted last becomes a connection
        while any(getattr(each, "is_idle", False) for each in self.server_state.connections):
            await asyncio.sleep(LOOK)
            self._check_clients(begun)
        checks = asyncio.create_task(self._check_until_stopped(begun))
        await super().shutdown(sockets)
        checks.cancel()

    def _make_protocol(self) -> Any:
        config: Any = self.config
        state = self.server_state
        return config.http_protocol_class(config=config, server_state=state, app_state=self.lifespan.state)

    async def _check_until_stopped(self, stopping: float) -> None:
        """Look after the clients while uvicorn waits for them, too: some never close a connection by themselves."""
        while True:
            await asyncio.sleep(LOOK)
            self._check_clients(stopping)

    def _check_clients(self, stopping: float) -> None:
        now = time.monotonic()
        for each in list(self.server_state.connections):
            if hasattr(each, "check_time"):
                each.check_time(now, stopping)


def accept_all(listeners: Iterable[socket.socket]) -> list[socket.socket]:
    """What waits in the backlogs: without a filter, handshakes were completed since the event loop last looked."""
    accepted = []
    for listener in listeners:
        listener.setblocking(False)
        with suppress(OSError):
            for _ in range(MOST_ACCEPTED):
                accepted.append(listener.accept()[0])
    for each in accepted:
        each.setblocking(False)
    return accepted


class AsgiWorker(UvicornWorker):  # type: ignore[misc]  # as it has no types
    """Runs an ASGI app with the deadlines of `mldeploy_guard`. See the module."""

    async def _serve(self) -> None:
        with suppress(OSError, ValueError):
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.config.app = self.wsgi
        self.config.load()
        self.config.http_protocol_class = guarded(self.config.http_protocol_class)
        server = GracefulServer(self.config, self)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
