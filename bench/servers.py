"""Which WSGI server the image uses: `python -m bench.servers [ROUNDS]` prints the table of docs/decisions/0009.

Every candidate serves the stock app from the same image, one after the other, so many rounds (3), medians; under ten
minutes on two quiet cores. Needs `wrk` (`apt-get install wrk`).
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from docker import APIClient

import mldeploy.image
from bench.containers import Served, served
from bench.contestants.contestant import question, table
from bench.engine import Base, fresh, image, remove
from bench.figures import Figures, measured
from bench.load import CONNECTIONS, load
from bench.programs import require
from bench.report import table as markdown
from bench.stock import STOCK, trained
from mldeploy.image.engine import Engine

NAME = "mldeploy-bench/servers"
SECONDS = 3
SLOW = 0.5
IDLE = 64

OURS = tuple(Path(mldeploy.image.__file__).with_name(name) for name in ("gunicorn_conf.py", "mldeploy_wsgi.py"))
GUNICORN = "gunicorn --config=gunicorn_conf.py slow:app"
GRANIAN = "granian --interface=wsgi --host=0.0.0.0 --port=5000 slow:app"
CANDIDATES = {
    "gunicorn sync 2": "gunicorn --preload --workers=2 slow:app",
    "gunicorn gthread 2x4": f"{GUNICORN} --worker-class=gthread --workers=2 --threads=4",
    "gunicorn, ours 1x4": f"{GUNICORN} --workers=1 --threads=4",
    "gunicorn, ours 2x2": f"{GUNICORN} --workers=2 --threads=2",
    "gunicorn, ours 2x4": f"{GUNICORN} --workers=2 --threads=4",
    "gunicorn, ours 2x16": f"{GUNICORN} --workers=2 --threads=16",
    "granian 1x4": f"{GRANIAN} --workers=1 --blocking-threads=4",
    "granian 2x1": f"{GRANIAN} --workers=2 --blocking-threads=1",
    "granian 2x4": f"{GRANIAN} --workers=2 --blocking-threads=4",
    "waitress 1x4": "waitress-serve --listen=0.0.0.0:5000 --threads=4 slow:app",
}

RECIPE = """\
FROM {base}
COPY requirements.txt /
RUN python3 -m pip install --quiet --target=/uv uv \\
 && /uv/bin/uv venv --quiet /venv \\
 && VIRTUAL_ENV=/venv /uv/bin/uv pip install --quiet --compile-bytecode --requirements=/requirements.txt \\
    dumb-init granian gunicorn waitress
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 \\
    PORT=5000 THREADS=1 HEALTH=/health PYTHONPATH=/app
WORKDIR /app
COPY app.py slow.py model.joblib gunicorn_conf.py mldeploy_wsgi.py ./
ENTRYPOINT ["dumb-init", "--single-child", "--"]
"""
SLOW_APP = f"""\
import time
from app import app

@app.get("/slow")
def slow():
    time.sleep({SLOW})
    return {{"status": "slept"}}
"""


@dataclass(frozen=True)
class Column:
    """One figure: its heading, and what it means."""

    heading: str
    meaning: str


RATE = Column("1 row/s", "requests of one row a second, on 16 connections that stay open")
P99 = Column("p99 ms", "within which 99 of 100 of them were answered")
CPU = Column("CPU ms", "the container's processor time for one of them")
CLOSING = Column("closing/s", "the same where every request is a connection of its own")
MANY = Column("1,000 rows/s", "requests of 1,000 rows a second")
PAST_IDLE = Column("past idle ms", f"a fresh request's time beside {IDLE} kept-alive connections that are silent")
PAST_SLOW = Column("past slow ms", f"the same beside {IDLE} that have sent half a request line; 10,000: no answer")
STOP = Column("stop ms", "from SIGTERM to the end, with 16 requests of 500 ms running or waiting")
LOST = Column("lost", "how many of those 16 got no answer")
START = Column("start ms", "from the container's start to the first prediction")
PSS = Column("PSS MiB", "idle")
COLUMNS = (RATE, P99, CPU, CLOSING, MANY, PAST_IDLE, PAST_SLOW, STOP, LOST, START, PSS)


def main(rounds: int) -> None:
    """Print the table, what its columns mean, and when and where it was measured."""
    require("wrk")
    client = Engine.connect().client
    begun = time.monotonic()
    figures = Figures()
    with tempfile.TemporaryDirectory() as scratch, fresh(client, Base.chosen(STOCK)) as base:
        _build(client, base, trained(Path(scratch)))
        try:
            for number in range(rounds):
                for name, command in CANDIDATES.items():
                    sys.stderr.write(f"round {number + 1} of {rounds}: {name}\n")
                    _measure(client, name, command, figures)
        finally:
            remove(client, NAME)
    when = measured(client, time.monotonic() - begun, figures)
    rows = [(name, *(_cell(figures, column, name) for column in COLUMNS)) for name in CANDIDATES]
    print(f"`python -m bench.servers {rounds}` on {when.day}, {when.minutes:g} minutes ({when.machine}), medians:\n")
    print(markdown(("server, workers x threads", *(column.heading for column in COLUMNS)), rows))
    print("\n".join(f"- {column.heading}: {column.meaning}" for column in COLUMNS))


def _cell(figures: Figures, column: Column, name: str) -> str:
    spread = figures.spread(column.heading, name)
    if spread is None:
        return ""
    median = statistics.median(spread.values)
    return f"{median:.3g}" if median < 100 else f"{median:,.0f}"


def _build(client: APIClient, base: str, model: Path) -> None:
    files = {
        "Dockerfile": RECIPE.format(base=base).encode(),
        "slow.py": SLOW_APP.encode(),
        "model.joblib": model.read_bytes(),
        **{each.name: each.read_bytes() for each in OURS},
        **{name: (STOCK / name).read_bytes() for name in ("app.py", "requirements.txt")},
    }
    image(client, NAME, files)


def _measure(client: APIClient, name: str, command: str, figures: Figures) -> None:
    """Start a candidate, try it in every way, and stop it under load."""

    def add(column: Column, value: float) -> None:
        figures.add(column.heading, name, value)

    one, many = question("/predict", table(1)), question("/predict", table(1000))
    with served(client, NAME, 5000, one, command) as running:
        for _ in range(20):
            running.post(one)
        add(START, running.started * 1000)
        add(PSS, running.pss())
        before = running.cpu()
        asked = load(running.url, one, SECONDS)
        add(CPU, (running.cpu() - before) / asked.requests)
        add(RATE, asked.rate)
        add(P99, asked.p99)
        add(MANY, load(running.url, many, SECONDS).rate)
        add(CLOSING, load(running.url, one, SECONDS, closing=True).rate)
        with _idle(running.url):
            add(PAST_IDLE, _fresh_request(running.url))
        with _half_sent(running.url):
            add(PAST_SLOW, _fresh_request(running.url))
        stop, lost = _stop_under_load(running)
    add(STOP, stop)
    add(LOST, lost)


@contextmanager
def _idle(url: str) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(IDLE):
            connection = stack.enter_context(_connection(url))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with suppress(TimeoutError):  # a worker that listens to another silent client: the next request will tell
                connection.recv(65536)
        yield


@contextmanager
def _half_sent(url: str) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(_connection(url)).sendall(b"GET /hea")
        yield


def _connection(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 0.1)


def _fresh_request(url: str) -> float:
    """Milliseconds; ten seconds where it got no answer."""
    begun = time.monotonic()
    try:
        requests.get(f"{url}/health", timeout=10)
    except requests.RequestException:
        return 10_000
    return (time.monotonic() - begun) * 1000


def _stop_under_load(running: Served) -> tuple[float, int]:
    """Milliseconds, and how many requests got no answer."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            answered.append(requests.get(f"{running.url}/slow", timeout=30).ok)
        except requests.RequestException:
            answered.append(False)

    askers = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for asker in askers:
        asker.start()
    time.sleep(SLOW / 2)  # all have been sent, none has been answered
    begun = time.monotonic()
    running.client.kill(running.container, "SIGTERM")
    running.client.wait(running.container)
    stop = (time.monotonic() - begun) * 1000
    for asker in askers:
        asker.join()
    return stop, answered.count(False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
