"""Counts and durations for Prometheus, added up over all worker processes.

A scrape reaches one worker, which must answer for all. So each process keeps its numbers in files of its own in one
shared folder, and whoever is asked adds the files up (prometheus_client's multiprocess mode). The folder is
PROMETHEUS_MULTIPROC_DIR. Where that is not set, it is a new one under the temporary folder, which the workers inherit
from a server that preloads the app; a server that loads the app in each worker anew needs the variable.

A dead worker's files stay, since its requests still count. Nothing here is a gauge, which would have to be forgotten.
"""

import atexit
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

from flask import Flask, Response, g, request

logger = logging.getLogger(__name__)


def _share_folder() -> OSError | None:
    """Name a writable folder in PROMETHEUS_MULTIPROC_DIR; where there is none, unset it and return why."""
    given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    try:
        folder = Path(given or tempfile.mkdtemp(prefix="insurance-metrics-"))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    except OSError as error:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        return error
    if not given:
        atexit.register(_remove, folder, os.getpid())
    return None


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # forked workers inherit this call, and must leave the folder to the others
        shutil.rmtree(folder, ignore_errors=True)


_UNSHARED = _share_folder()  # before prometheus_client is imported, which reads the variable once

from prometheus_client import (  # noqa: E402
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "endpoint", "status"])
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time to answer a request",
    ["endpoint"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
PREDICTIONS = Counter("predictions_total", "Rows predicted", ["endpoint"])


def install(app: Flask) -> None:
    """Count and time every request that `app` answers, and serve the sums at /metrics."""
    if _UNSHARED:
        logger.warning("each process counts for itself alone: no folder to share metrics in (%s)", _UNSHARED)
    app.before_request(_begin)
    app.after_request(_end)
    app.get("/metrics")(_scrape)


def count_predictions(rows: int) -> None:
    """Count rows that the request under way has had predicted."""
    PREDICTIONS.labels(_endpoint()).inc(rows)


def _begin() -> None:
    g.metrics_started = time.perf_counter()


def _end(response: Response) -> Response:
    method = request.method if request.method in _METHODS else "other"
    REQUESTS.labels(method, _endpoint(), response.status_code).inc()
    DURATION.labels(_endpoint()).observe(time.perf_counter() - g.metrics_started)
    return response


def _endpoint() -> str:
    """Return the route, not the path: a client can make up paths, and each label value costs memory for good."""
    return request.url_rule.rule if request.url_rule else "none"


def _scrape() -> Response:
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
