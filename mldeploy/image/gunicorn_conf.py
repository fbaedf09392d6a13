"""How gunicorn serves an app in our image: read by gunicorn inside the container, never imported by mldeploy.

A `gunicorn.conf.py` beside the app's code replaces all of it. What differs between apps comes through the environment:
PORT and WEB_CONCURRENCY, which gunicorn reads by itself, THREADS and HEALTH. For an ASGI app the command names another
worker class, which runs an event loop instead of threads. docs/decisions says what was measured.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import struct
from typing import Any

from gunicorn.workers import gthread  # type: ignore[import-untyped]  # it is the container's, not ours

# A stop waits so long for the next request on a connection that is kept alive: with gunicorn's own two seconds, any
# idle client would make every stop take longer than that.
gthread.STOP_KEEPALIVE_LINGER = 0.5

worker_class = "mldeploy_wsgi.Worker"
threads = int(os.environ["THREADS"])
preload_app = True  # the model is loaded once, and its memory shared
keepalive = 75  # longer than a cloud's load balancer keeps an idle connection, so that it is never we who hang up first
graceful_timeout = 30
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a worker's sign of life must not wait for a disk
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(B)s B %(M)s ms'

SILENCE = 10
"""Seconds after which a client that has begun a request and says nothing more is given up: it holds a thread."""

USUAL = gc.get_threshold()
WHILE_LOADING = (1_000_000, *USUAL[1:])
"""Loading an app makes much and drops little: searching that for garbage would be a sixth of its time."""

gc.set_threshold(*WHILE_LOADING)


def when_ready(server: Any) -> None:
    """Called once, before the workers start: what is set on the listening socket holds for every connection.

    The app and its model are there for good: a worker that sought garbage among them would copy them into memory of its
    own, page by page.
    """
    gc.freeze()
    if gc.get_threshold() == WHILE_LOADING:  # the app may know better
        gc.set_threshold(*USUAL)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE, 0))
    for name in ("gunicorn.access", "uvicorn.access"):
        logging.getLogger(name).addFilter(_is_news)
    logging.getLogger("gunicorn.error").addFilter(_in_a_word)


def child_exit(_server: Any, worker: Any) -> None:
    """Called once a worker has ended, however it did: the others must not wait for it."""
    if hasattr(worker, "leave"):
        worker.leave()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Called at a worker's end, and `on_exit` at the last process's: without a last search for garbage a stop takes a
    tenth of the time, and so does the gap between two versions."""
    gc.freeze()


def on_exit(_server: Any) -> None:
    """See `worker_exit`."""
    gc.freeze()


def _is_news(record: logging.LogRecord) -> bool:
    """A healthy answer to the engine's own question, every ten seconds, is not."""
    match record.args:
        case {"U": path, "s": status}:  # gunicorn's own words
            said = path, str(status)
        case (_, _, str(path), _, status):  # uvicorn's
            said = path, str(status)
        case _:
            return True
    return said != (os.environ["HEALTH"], "200")


def _in_a_word(record: logging.LogRecord) -> bool:
    """A client that fell silent is told in a line: its traceback would be gunicorn's own."""
    if record.exc_info and isinstance(record.exc_info[1], BlockingIOError):
        record.msg, record.args, record.exc_info = "A client fell silent in the middle of a request.", None, None
    return True
