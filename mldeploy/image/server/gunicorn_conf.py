"""How gunicorn serves an app in our image: read by gunicorn inside the container, never imported by mldeploy.

A `gunicorn.conf.py` beside the app's code replaces all of it. What differs between apps comes through the environment:
PORT and WEB_CONCURRENCY, which gunicorn reads by itself, THREADS and HEALTH. For an ASGI app the command names another
worker class, which runs an event loop instead of threads. docs/decisions says what was measured.
"""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

worker_class = "mldeploy_worker.WsgiWorker"
threads = int(os.environ["THREADS"])
preload_app = True  # the model is loaded once, and its memory shared
keepalive = 75  # longer than a cloud's load balancer keeps an idle connection, so that it is never we who hang up first
graceful_timeout = 30
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a worker's sign of life must not wait for a disk
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(B)s B %(M)s ms'

USUAL = gc.get_threshold()
WHILE_LOADING = (1_000_000, *USUAL[1:])
"""Loading an app makes much and drops little: searching that for garbage would be a sixth of its time."""

gc.set_threshold(*WHILE_LOADING)


def when_ready(_server: Any) -> None:
    """Called once, before the workers start.

    The app and its model are there for good: a worker that sought garbage among them would copy them into memory of its
    own, page by page.
    """
    gc.freeze()
    if gc.get_threshold() == WHILE_LOADING:  # the app may know better
        gc.set_threshold(*USUAL)
    for name in ("gunicorn.access", "uvicorn.access"):
        logging.getLogger(name).addFilter(_is_news)


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
            answer = path, str(status)
        case (_, _, str(path), _, status):  # uvicorn's
            answer = path, str(status)
        case _:
            return True
    return answer != (os.environ["HEALTH"], "200")
