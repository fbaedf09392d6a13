"""The worker class with which gunicorn serves a WSGI app in our image: never imported by mldeploy.

The main thread reads requests and sends what clients have not read yet (`mldeploy_clients`); a thread gets a request
once it is complete (`mldeploy_answers`). gunicorn parses the header, makes the environment and the response, writes the
access log and looks after the processes. docs/decisions says what was measured.
"""

from __future__ import annotations

import errno
import heapq
import os
import resource
import selectors
import time
from contextlib import suppress
from selectors import EVENT_READ as READ
from typing import Any

from mldeploy_balance import LOOK  # type: ignore[import-not-found]  # these are beside this file in the image
from mldeploy_clients import ClientWorker  # type: ignore[import-not-found]
from mldeploy_connection import Connection  # type: ignore[import-not-found]
from mldeploy_limits import body_limit  # type: ignore[import-not-found]
from mldeploy_listener import SETTLE, is_held_by, refuse_handshakes  # type: ignore[import-not-found]

SWEEP = 0.5
"""Seconds between two looks at who has run out of time; STOP_SWEEP while the worker stops."""
STOP_SWEEP = 0.05


class WsgiWorker(ClientWorker):  # type: ignore[misc]
    """See the module."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Called in the process that forks."""
        super().__init__(*arguments, **named)
        self.is_listening = False
        self.swept = 0.0

    def leave(self) -> None:
        """Called in the process that forks, once this worker has ended, however it did."""
        self.share.leave()

    def run(self) -> None:
        """Serve until SIGTERM, and answer what has come by then."""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.PIPE[0], READ)
        self.names = {listener: listener.getsockname() for listener in self.sockets}
        self.limit = body_limit(self.cfg.workers)
        self.most = self._most_connections()
        for listener in self.sockets:
            listener.setblocking(False)
        self.start_threads()
        while self.alive and self._has_parent():
            self._listen(not self.share.waits and self._has_room())
            self._step(LOOK if not self.is_listening else 0.5)
        self._stop()

    def _most_connections(self) -> int:
        """As many as there can be files, unless gunicorn's setting was changed."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        setting = self.cfg.settings["worker_connections"]
        chosen: int = setting.get() if setting.get() != setting.default else 16384
        return chosen if soft == resource.RLIM_INFINITY else min(chosen, max(16, soft - 128))

    def _has_parent(self) -> bool:
        if self.ppid == os.getppid():
            return True
        self.log.info("Parent changed, shutting down: %s", self)
        return False

    def _listen(self, listens: bool) -> None:
        if listens == self.is_listening:
            return
        self.is_listening = listens
        for listener in self.sockets:
            if listens:
                self.selector.register(listener, READ, listener)
            else:
                self.selector.unregister(listener)

    def _step(self, timeout: float) -> None:
        """Wait for something to happen, and see to it."""
        self.notify()
        for key, events in self.selector.select(timeout):
            if isinstance(key.data, Connection):
                self.serve_client(key.data, events)
            elif key.data is not None:
                if self.share.takes():
                    self._accept(key.data)
                else:
                    self._listen(False)
            else:
                os.read(key.fd, 4096)
        self.is_woken = False
        while self.returned:
            self._resume(self.returned.popleft())
        now = time.monotonic()
        if now >= self.swept + (STOP_SWEEP if self.stopping else SWEEP):
            self.swept = now
            for connection in list(self.connections):
                self._check_time(connection, now)

    def _accept(self, listener: Any) -> bool:
        """Take a connection. False if none waits."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._make_room()
            return False
        connection = Connection(sock, client, self.names[listener], self._wake)
        self.connections.add(connection)
        self._watch(connection, READ)
        self._publish()
        return True

    def _has_room(self) -> bool:
        """Whether there can be one more connection; those that are of the least use make way for it."""
        return len(self.connections) < self.most or self._make_room()

    def _make_room(self) -> bool:
        """Close the oldest idle connections, or else the oldest with half a request. False if there are none."""
        idle = [each for each in self.connections if each.is_idle or each.is_lingering]
        others = idle or [each for each in self.connections if not each.is_busy]
        oldest = heapq.nsmallest(16, others, key=lambda each: each.since)
        for connection in oldest:
            self._drop(connection)
        return bool(oldest)

    def _stop(self) -> None:
        """Answer whatever has been sent on a connection that the kernel has accepted."""
        self.share.leave()
        self.stopping = time.monotonic()
        self._listen(False)
        if not any(is_held_by(self.ppid, listener) for listener in self.sockets):  # else others go on listening
            self._drain()
        for listener in self.sockets:
            listener.close()
        end = self.stopping + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < end:
            self._step(STOP_SWEEP)

    def _drain(self) -> None:
        for listener in self.sockets:
            refuse_handshakes(listener)
        has_settled = False
        while not has_settled:
            has_settled = time.monotonic() > self.stopping + SETTLE
            for listener in self.sockets:
                while self._has_room() and self._accept(listener):
                    pass
            self._step(0 if has_settled else 0.01)
        for listener in self.sockets:  # without a filter, handshakes were completed during the last step, too
            while self._has_room() and self._accept(listener):
                pass
            listener.close()
