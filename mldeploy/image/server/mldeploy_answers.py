"""The threads of our gunicorn worker, which let the app answer: never imported by mldeploy.

A thread gets a request once it is complete, and is free again when the app has answered. See `mldeploy_wsgi`.
"""

from __future__ import annotations

import contextvars
import os
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from queue import SimpleQueue
from selectors import EVENT_READ as READ
from threading import Lock, Thread
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]  # it is the container's, not ours
from gunicorn.workers import base  # type: ignore[import-untyped]
from mldeploy_balance import Share  # type: ignore[import-not-found]  # these are beside this file in the image
from mldeploy_connection import Connection  # type: ignore[import-not-found]

UNREAD = 262144
"""Bytes of a response that wait for the client before the app is not called for the next part until they are fewer."""


class WsgiExchange:
    """A request that the app answers, until all parts of its response have been written."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.response: Any = None
        self.environ: dict[str, Any] = {}
        self.answer: Any = ()
        self.parts: Any = iter(())
        self.begun = time.monotonic()
        # A response can be continued by another thread than began it: what the app keeps in variables goes along.
        self.context = contextvars.copy_context()


class AnsweringWorker(base.Worker):  # type: ignore[misc]  # as gunicorn has no types
    """Lets the app answer the requests of connections that are put into `jobs`; they come back in `returned`."""

    alive: bool

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Called in the process that forks."""
        super().__init__(*arguments, **named)
        self.share = Share()
        self.connections: set[Connection] = set()
        self.jobs: SimpleQueue[Connection] = SimpleQueue()
        self.returned: deque[Connection] = deque()
        self.is_woken = False
        self.answering = 0
        self.held = 0
        self.lock = Lock()

    def start_threads(self) -> None:
        """Start the threads, in the worker's own process."""
        for _ in range(self.cfg.threads):
            Thread(target=self._work, daemon=True).start()

    def _publish(self) -> None:
        if self.alive:
            self.share.publish(self.answering, len(self.connections))

    def _wake(self, connection: Connection) -> None:
        """Let the main thread look at a connection."""
        self.returned.append(connection)
        if not self.is_woken:
            self.is_woken = True
            with suppress(OSError):
                os.write(self.PIPE[1], b"\0")

    def _work(self) -> None:
        while True:
            connection = self.jobs.get()
            if connection.exchange is None:
                connection.exchange = WsgiExchange(connection.request)
            is_over = True
            try:
                is_over = connection.exchange.context.run(self._answer, connection)
            except BaseException:
                self.log.exception("Error in a thread")
                connection.is_closing = True
            if is_over:
                self._give_back(connection)
            else:
                connection.is_suspended = True
                self._wake(connection)

    def _give_back(self, connection: Connection) -> None:
        with self.lock:
            self.answering -= 1
        self._release(connection)
        self._publish()
        connection.reset()
        connection.is_busy = False
        if not connection.events & READ or connection.incoming or connection.is_at_end or connection.is_closing:
            self._wake(connection)

    def _release(self, connection: Connection) -> None:
        """Its request is in memory no longer."""
        with self.lock:
            self.held -= connection.held
        connection.held = 0

    def _answer(self, connection: Connection) -> bool:
        """Let the app answer. False if the client must read before the app is called for the next part."""
        exchange = connection.exchange
        try:
            if exchange.response is None:
                self._begin(connection, exchange)
            if not self._write(connection, exchange):
                return False
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the app raises is a 500
            self._fail(connection, exchange, error)
        self._finish(connection, exchange)
        return True

    def _begin(self, connection: Connection, exchange: WsgiExchange) -> None:
        self.cfg.pre_request(self, exchange.request)
        sockets = connection.output, connection.client, connection.server
        response, exchange.environ = wsgi.create(exchange.request, *sockets, self.cfg)
        exchange.response = response
        exchange.environ.update({"wsgi.multithread": True, "wsgi.input": connection.body.content})
        with self.lock:
            self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

        def start_response(*arguments: Any, **named: Any) -> Any:
            """The last moment to announce that the connection will be closed."""
            if not (self.alive and self.cfg.keepalive):
                response.force_close()
            return response.start_response(*arguments, **named)

        exchange.answer = self.wsgi(exchange.environ, start_response)
        exchange.parts = iter(exchange.answer)

    def _write(self, connection: Connection, exchange: WsgiExchange) -> bool:
        output = connection.output
        for part in exchange.parts:
            output.is_corked = True
            exchange.response.write(part)
            output.uncork()
            if output.pending > UNREAD:
                return False
        exchange.response.close()
        connection.is_closing = exchange.response.should_close() or output.is_detached
        return True

    def _fail(self, connection: Connection, exchange: WsgiExchange, error: BaseException) -> None:
        connection.is_closing = True
        output = connection.output
        if output.is_broken or output.is_detached:
            self.log.debug("Ignored that the client is gone: %s", error)
        elif exchange.response is not None and exchange.response.headers_sent:
            self.log.error("Error handling request", exc_info=error)
        else:
            self.handle_error(exchange.request, output, connection.client, error)
            exchange.response = None  # it is in the access log already
        output.uncork()

    def _finish(self, connection: Connection, exchange: WsgiExchange) -> None:
        try:
            if exchange.response is not None and exchange.response.status:
                taken = timedelta(seconds=time.monotonic() - exchange.begun)
                self.log.access(exchange.response, exchange.request, exchange.environ, taken)
            if hasattr(exchange.answer, "close"):
                exchange.answer.close()
            self.cfg.post_request(self, exchange.request, exchange.environ, exchange.response)
        except Exception:
            self.log.exception("Error after a request")
