"""Which server and JSON library serve a compiled model: `python -m bench.model_servers [ROUNDS]` prints two tables.

Each candidate serves the stock model's plan in two workers, from one environment with NumPy and the servers; 16
connections stay open. Compared is the CPU time of the server's processes for one request: it is of use on a busy
machine, too, where requests a second are not. The candidates take turns, ROUNDS (5) times; medians, and in brackets the
ratio to the first, taken round by round. Needs the package index, and Linux for /proc.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import mldeploy.image
import mldeploy_model
from bench.compiled import COLUMNS
from bench.report import table as markdown
from bench.stock_app.train import train
from mldeploy_model.compiled.proof import Effort
from mldeploy_model.compiled.serving import PLANS, PROOFS, prove_plan
from mldeploy_model.schema import ModelSchema, write_models

CONNECTIONS = 16
REQUESTS = {1: 1600, 1000: 160}
"""Of one measurement, by the rows of each."""
CALLS = {1: 3000, 1000: 60}
PACKAGES = ("gunicorn", "granian", "uvicorn", "uvicorn-worker", "httptools", "a2wsgi", "orjson", "msgspec")
APP = "mldeploy_model.server:app"
BRIDGED = "bridge:app"
GUNICORN = ("gunicorn", f"--config={Path(mldeploy.image.__file__).with_name('gunicorn_conf.py')}", "--workers=2")
CANDIDATES: Mapping[str, tuple[str, ...]] = {
    "gunicorn, ours": (*GUNICORN, "--bind=127.0.0.1:{port}", APP),
    "gunicorn gthread": (*GUNICORN, "--worker-class=gthread", "--bind=127.0.0.1:{port}", APP),
    "granian": (
        *("granian", "--interface=wsgi", "--host=127.0.0.1", "--port={port}", "--workers=2"),
        *("--blocking-threads=4", "--no-log", APP),
    ),
    "uvicorn, httptools": (
        *("uvicorn", "--http=httptools", "--host=127.0.0.1", "--port={port}", "--workers=2", "--no-access-log"),
        *("--log-level=warning", BRIDGED),
    ),
}
BRIDGE = """
from a2wsgi import WSGIMiddleware
from mldeploy_model.server import app as wsgi
app = WSGIMiddleware(wsgi, workers=4)
"""
JSON_PROGRAM = """
import json, sys, time
import msgspec, orjson
body, calls = open(sys.argv[1], 'rb').read(), int(sys.argv[2])
answer = json.loads(open(sys.argv[3]).read())
pairs = {
    'json': lambda: json.dumps(json.loads(body) and answer, separators=(',', ':')).encode(),
    'orjson': lambda: orjson.dumps(orjson.loads(body) and answer),
    'msgspec': lambda: msgspec.json.encode(msgspec.json.decode(body) and answer),
}
result = {name: [] for name in pairs}
for _ in range(int(sys.argv[4])):
    for name, call in pairs.items():
        begun = time.process_time()
        for _ in range(calls):
            call()
        result[name].append((time.process_time() - begun) / calls * 1e3)
print(json.dumps(result))
"""


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = install(folder)
        bodies = prepare(folder)
        print(_table("CPU ms a request", _measure_servers(folder, programs, bodies, rounds)))
        print(_table("JSON in and out, CPU ms", _measure_json(folder, programs, bodies, rounds)))


def install(folder: Path) -> Path:
    """An environment with this one's NumPy and the servers; the folder of its programs."""
    import numpy as np  # noqa: PLC0415 - for its version

    uv = Path(sys.executable).with_name("uv")
    environment = folder / "environment"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    command: list[str | Path] = [uv, "pip", "install", "--quiet", f"numpy=={np.__version__}", *PACKAGES]
    subprocess.run(command, env={**os.environ, "VIRTUAL_ENV": str(environment)}, check=True)
    return environment / "bin"


def prepare(folder: Path) -> dict[int, bytes]:
    """Write what the server reads, and return the bodies by their rows."""
    frame, model = train()
    schema = ModelSchema("stock", "model.joblib", "sklearn", "regression", COLUMNS)
    proof, plan = prove_plan(model, schema, effort=Effort(200, 4))
    if not plan:
        raise SystemExit(f"the stock model has no plan: {proof.reason}")
    app = folder / "app"
    (app / PLANS).mkdir(parents=True)
    (app / PLANS / "stock.plan").write_bytes(plan)
    (app / PROOFS).write_text(json.dumps({"stock": json.loads(proof.to_json())}))
    (app / ".mldeploy" / "models.json").write_text(write_models([replace(schema, task="regression")]))
    (app / "bridge.py").write_text(BRIDGE)
    names = [column.name for column in COLUMNS]
    rows = json.loads(frame[names].head(1000).to_json(orient="records"))
    return {1: json.dumps(rows[0]).encode(), 1000: json.dumps(rows).encode()}


@contextmanager
def _serve(folder: Path, programs: Path, command: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """A server's port, and its process, whose group is its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    paths = (folder / "app", Path(mldeploy_model.__file__).parent.parent, Path(mldeploy.image.__file__).parent)
    own = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "THREADS": "4",
        "HEALTH": "/health",
        "PORT": str(port),
        "MLDEPLOY_MODELS": str(folder / "app/.mldeploy/models.json"),
        "OMP_NUM_THREADS": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    words = [word.format(port=port) for word in command]
    process = subprocess.Popen(
        [programs / words[0], *words[1:]],
        env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_until_ready(port)
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(port: int) -> None:
    for _ in range(1200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("a server does not answer")


def _measure_servers(
    folder: Path, programs: Path, bodies: Mapping[int, bytes], rounds: int
) -> dict[str, dict[int, list[float]]]:
    measured: dict[str, dict[int, list[float]]] = {name: {rows: [] for rows in bodies} for name in CANDIDATES}
    for _ in range(rounds):
        for name, command in CANDIDATES.items():
            with _serve(folder, programs, command) as (port, leader):
                for rows, body in bodies.items():
                    _send(port, body, CONNECTIONS * 2)
                    begun = _cpu_seconds(leader)
                    count = _send(port, body, REQUESTS[rows])
                    measured[name][rows].append((_cpu_seconds(leader) - begun) / count * 1e3)
    return measured


def _send(port: int, body: bytes, count: int) -> int:
    """Send so many requests over connections that stay open. Raises SystemExit if one fails."""
    failed: list[object] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for _ in range(count // CONNECTIONS):
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failed.append(response.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failed:
        raise SystemExit(f"requests failed: {failed[:3]}")
    return count // CONNECTIONS * CONNECTIONS


def _cpu_seconds(leader: int) -> float:
    """User and system time of all processes of a session, proc_pid_stat(5)."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _measure_json(
    folder: Path, programs: Path, bodies: Mapping[int, bytes], rounds: int
) -> dict[str, dict[int, list[float]]]:
    measured: dict[str, dict[int, list[float]]] = {}
    for rows, body in bodies.items():
        (folder / "body").write_bytes(body)
        (folder / "answer").write_text(json.dumps({"predictions": [1234.5678 + row for row in range(rows)]}))
        arguments = (str(folder / "body"), str(CALLS[rows]), str(folder / "answer"), str(rounds))
        printed = subprocess.check_output([programs / "python", "-c", JSON_PROGRAM, *arguments])
        for name, values in json.loads(printed).items():
            measured.setdefault(name, {})[rows] = values
    return measured


def _table(title: str, measured: Mapping[str, Mapping[int, list[float]]]) -> str:
    first = next(iter(measured.values()))
    lines = [[title, *(f"{rows:,} row{'s' if rows > 1 else ''}" for rows in first)]]
    for name, by_rows in measured.items():
        lines.append([name, *(_cell(values, first[rows]) for rows, values in by_rows.items())])
    return markdown(lines[0], lines[1:])


def _cell(values: list[float], first: list[float]) -> str:
    ratio = statistics.median(one / other for one, other in zip(values, first, strict=True))
    return f"{statistics.median(values):.3f} ({ratio:.2f})"


if __name__ == "__main__":
    main()
