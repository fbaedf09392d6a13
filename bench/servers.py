"""Which WSGI server the image uses: `python -m bench.servers [ROUNDS] [--earlier REVISION]` prints a table.

The table is in docs/decisions.
Every candidate serves the stock app from the same image, one after the other, so many rounds (3), medians; under ten
minutes on two quiet cores. Needs `wrk` (`apt-get install wrk`).
"""

from __future__ import annotations

import argparse
import resource
import shlex
import socket
import statistics
import subprocess
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

IMAGE = Path(mldeploy.image.__file__).parent
OURS = tuple((IMAGE / "server").glob("*.py"))
GUNICORN = "gunicorn --config=gunicorn_conf.py slow:app"
BRIDGED = "gunicorn --config=gunicorn_conf.py bridged:app --worker-class=uvicorn_worker.UvicornWorker"
GRANIAN = "granian --interface=wsgi --host=0.0.0.0 --port=5000 slow:app"
CANDIDATES = {
    "gunicorn gthread 2x4": f"{GUNICORN} --worker-class=gthread --workers=2 --threads=4",
    "gunicorn, ours 1x4": f"{GUNICORN} --workers=1 --threads=4",
    "gunicorn, ours 2x4": f"{GUNICORN} --workers=2 --threads=4",
    "gunicorn, ours 2x16": f"{GUNICORN} --workers=2 --threads=16",
    "uvicorn, a2wsgi 2x4": f"{BRIDGED} --workers=2",
    "granian 2x4": f"{GRANIAN} --workers=2 --blocking-threads=4",
    "waitress 1x4": "waitress-serve --listen=0.0.0.0:5000 --threads=4 slow:app",
    "cheroot 1x4": "cheroot --bind 0.0.0.0:5000 --threads 4 slow:app",
}
EARLIER = "gunicorn, earlier 2x4"
"""Our server as it was at another revision."""
EARLIER_COMMAND = (
    "env PYTHONPATH=/earlier:/app gunicorn --config=/earlier/gunicorn_conf.py slow:app --workers=2 --threads=4"
)

RECIPE = """\
FROM {base}
COPY requirements.txt /
RUN python3 -m pip install --quiet --target=/uv uv \\
 && /uv/bin/uv venv --quiet /venv \\
 && VIRTUAL_ENV=/venv /uv/bin/uv pip install --quiet --compile-bytecode --requirements=/requirements.txt \\
    dumb-init granian gunicorn waitress cheroot a2wsgi uvicorn uvicorn-worker httptools
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 \\
    PORT=5000 THREADS=1 HEALTH=/health PYTHONPATH=/app
WORKDIR /app
COPY app.py slow.py bridged.py model.joblib {ours} ./
{earlier}ENTRYPOINT ["dumb-init", "--single-child", "--"]
"""
BRIDGE = """\
from a2wsgi import WSGIMiddleware
from slow import app as wsgi

app = WSGIMiddleware(wsgi, workers=4)
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


@dataclass(frozen=True)
class Attack:
    """Clients that hold their connections while others want a response. drop: what each sends every two seconds."""

    heading: str
    clients: int
    sent: bytes
    drop: bytes

    @property
    def rate(self) -> Column:
        return Column(f"{self.heading}/s", f"others' requests a second beside {self.heading} connections")

    @property
    def worst(self) -> Column:
        return Column(f"{self.heading} ms", "the longest that one of them has taken; 10,000: no response")


RATE = Column("1 row/s", "requests of one row a second, on 16 connections that stay open")
P99 = Column("p99 ms", "within which 99 of 100 of them were answered")
CPU = Column("CPU ms", "the container's processor time for one of them")
CLOSING = Column("closing/s", "the same where every request is a connection of its own")
MANY = Column("1,000 rows/s", "requests of 1,000 rows a second")
DRIPPING = Attack("4 dripping", 4, b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"X-Header: 1\r\n")
HALF = Attack("500 half", 500, b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", b"")
CROWD = Attack("2,000 idle", 2000, b"", b"")
ATTACKS = (DRIPPING, HALF, CROWD)
STOP = Column("stop ms", "from SIGTERM to the end, with 16 requests of 500 ms running or waiting")
LOST = Column("lost", "how many of those 16 got no answer")
START = Column("start ms", "from the container's start to the first prediction")
PSS = Column("PSS MiB", "idle")
COLUMNS = (RATE, P99, CPU, CLOSING, MANY, *(c for a in ATTACKS for c in (a.rate, a.worst)), STOP, LOST, START, PSS)


def main(rounds: int, earlier: str, only: list[str]) -> None:
    """Print the table, what its columns mean, and when and where it was measured."""
    require("wrk")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    commands = {**CANDIDATES, **({EARLIER: EARLIER_COMMAND} if earlier else {})}
    candidates = {name: command for name, command in commands.items() if not only or name in only}
    client = Engine.connect().client
    begun = time.monotonic()
    figures = Figures()
    with tempfile.TemporaryDirectory() as scratch, fresh(client, Base.chosen(STOCK)) as base:
        _build(client, base, trained(Path(scratch)), earlier)
        try:
            for number in range(rounds):
                for name, command in candidates.items():
                    sys.stderr.write(f"round {number + 1} of {rounds}: {name}\n")
                    _measure(client, name, command, figures)
        finally:
            remove(client, NAME)
    when = measured(client, time.monotonic() - begun, figures)
    rows = [(name, *(_cell(figures, column, name) for column in COLUMNS)) for name in candidates]
    command = f"python -m bench.servers {shlex.join(sys.argv[1:])}"
    print(f"`{command}` on {when.day}, {when.minutes:g} minutes ({when.machine}), medians:\n")
    print(markdown(("server, workers x threads", *(column.heading for column in COLUMNS)), rows))
    print("\n".join(f"- {column.heading}: {column.meaning}" for column in COLUMNS))


def _cell(figures: Figures, column: Column, name: str) -> str:
    spread = figures.spread(column.heading, name)
    if spread is None:
        return ""
    median = statistics.median(spread.values)
    return f"{median:.3g}" if median < 100 else f"{median:,.0f}"


def _build(client: APIClient, base: str, model: Path, earlier: str) -> None:
    before = _revision(earlier) if earlier else {}
    copy = f"COPY {' '.join(before)} /earlier/\n" if before else ""
    files = {
        "Dockerfile": RECIPE.format(base=base, ours=" ".join(each.name for each in OURS), earlier=copy).encode(),
        "slow.py": SLOW_APP.encode(),
        "bridged.py": BRIDGE.encode(),
        "model.joblib": model.read_bytes(),
        **{each.name: each.read_bytes() for each in OURS},
        **before,
        **{name: (STOCK / name).read_bytes() for name in ("app.py", "requirements.txt")},
    }
    image(client, NAME, files)


def _revision(revision: str) -> dict[str, bytes]:
    """The server's files in another revision of this repository."""
    git = ["git", "-C", str(IMAGE)]
    names = subprocess.run(
        [*git, "ls-tree", "-r", "--name-only", revision, "./"], check=True, capture_output=True, text=True
    )
    ours = [each for each in names.stdout.split() if Path(each).name.startswith(("mldeploy_", "gunicorn_conf"))]
    show = (
        (each, subprocess.run([*git, "show", f"{revision}:./{each}"], check=True, capture_output=True)) for each in ours
    )
    return {f"earlier/{Path(each).name}": shown.stdout for each, shown in show}


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
        requests = load(running.url, one, SECONDS)
        add(CPU, (running.cpu() - before) / requests.requests)
        add(RATE, requests.rate)
        add(P99, requests.p99)
        add(MANY, load(running.url, many, SECONDS).rate)
        add(CLOSING, load(running.url, one, SECONDS, closing=True).rate)
        for attack in ATTACKS:
            with _under_attack(running.url, attack):
                rate, worst = _others(running.url)
            add(attack.rate, rate)
            add(attack.worst, worst)
        stop, lost = _stop_under_load(running)
    add(STOP, stop)
    add(LOST, lost)


@contextmanager
def _under_attack(url: str, attack: Attack) -> Iterator[None]:
    """Every client has sent what it sends at first, or could not."""
    host, port = url.removeprefix("http://").split(":")
    ended = threading.Event()
    with ExitStack() as stack:
        opened = []
        for _ in range(attack.clients):
            with suppress(OSError):
                opened.append(stack.enter_context(socket.create_connection((host, int(port)), 1)))
                opened[-1].sendall(attack.sent)

        def drip() -> None:
            while not ended.wait(2):
                for each in opened:
                    with suppress(OSError):
                        each.sendall(attack.drop)

        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            yield
        finally:
            ended.set()
            dripper.join()


def _others(url: str) -> tuple[float, float]:
    """Requests a second of four clients, each on a new connection, and the longest one's milliseconds."""
    taken: list[float] = []
    answered: list[bool] = []
    begun = time.monotonic()

    def call() -> None:
        while time.monotonic() < begun + SECONDS:
            since = time.monotonic()
            with suppress(requests.RequestException):
                answered.append(requests.get(f"{url}/health", timeout=10).ok)
            taken.append(time.monotonic() - since)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return sum(answered) / (time.monotonic() - begun), max(taken) * 1000


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
    parser = argparse.ArgumentParser(prog="python -m bench.servers")
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    parser.add_argument("--earlier", default="", metavar="REVISION", help="measure our server of that revision, too")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a candidate; can be repeated")
    given = parser.parse_args()
    main(given.rounds, given.earlier, given.only)
