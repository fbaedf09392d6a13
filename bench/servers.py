"""Which WSGI server the image uses: `python -m bench.servers [RUNS]` measures the candidates and prints a table.

Every candidate serves the same scikit-learn pipeline from the same image, one after the other, `RUNS` rounds, medians.
Needs a Docker Engine with the base image, and `wrk` (`apt-get install wrk`). What decided is in docs/decisions.
"""

from __future__ import annotations

import io
import json
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import certifi
import psutil
import requests
from docker import APIClient

import mldeploy.image
from mldeploy.config.load import load
from mldeploy.image.engine import Engine

IMAGE = "mldeploy-bench/servers"
SECONDS = 4
CONNECTIONS = 16

CONFIGURATION = Path(mldeploy.image.__file__).with_name("gunicorn_conf.py")
GRANIAN = "granian --interface=wsgi --host=0.0.0.0 --port=5000 app:app"
CANDIDATES = {
    "gunicorn sync 2": "gunicorn --preload --workers=2 app:app",
    "gunicorn gthread 1x4": "gunicorn --config=gunicorn_conf.py --workers=1 --threads=4 app:app",
    "gunicorn gthread 2x2": "gunicorn --config=gunicorn_conf.py --workers=2 --threads=2 app:app",
    "gunicorn gthread 2x4": "gunicorn --config=gunicorn_conf.py --workers=2 --threads=4 app:app",
    "gunicorn gthread 2x16": "gunicorn --config=gunicorn_conf.py --workers=2 --threads=16 app:app",
    "granian 1x4": f"{GRANIAN} --workers=1 --blocking-threads=4",
    "granian 2x1": f"{GRANIAN} --workers=2 --blocking-threads=1",
    "granian 2x4": f"{GRANIAN} --workers=2 --blocking-threads=4",
    "waitress 1x4": "waitress-serve --listen=0.0.0.0:5000 --threads=4 app:app",
}

RECIPE = """\
ARG BASE
FROM ${BASE}
COPY ca.pem /build/
RUN SSL_CERT_FILE=/build/ca.pem PIP_CERT=/build/ca.pem python3 -m pip install --quiet --target=/build/uv uv \
 && SSL_CERT_FILE=/build/ca.pem /build/uv/bin/uv venv --quiet /venv \
 && VIRTUAL_ENV=/venv SSL_CERT_FILE=/build/ca.pem /build/uv/bin/uv pip install --quiet --compile-bytecode \
    flask scikit-learn pandas joblib gunicorn granian waitress dumb-init
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 PORT=5000 THREADS=1 HEALTH=/health
WORKDIR /app
COPY train.py app.py gunicorn_conf.py ./
RUN python train.py
ENTRYPOINT ["dumb-init", "--single-child", "--"]
"""

TRAIN = """\
import joblib, numpy as np, pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rng = np.random.default_rng(0)
n = 1338
X = pd.DataFrame({
    "age": rng.integers(18, 65, n), "sex": rng.choice(["female", "male"], n), "bmi": rng.normal(30, 6, n),
    "children": rng.integers(0, 6, n), "smoker": rng.choice(["yes", "no"], n),
    "region": rng.choice(["northeast", "northwest", "southeast", "southwest"], n),
})
y = 250 * X.age + 300 * X.bmi + 20000 * (X.smoker == "yes") + rng.normal(0, 2000, n)
columns = make_column_transformer(
    (OneHotEncoder(), ["sex", "smoker", "region"]), (StandardScaler(), ["age", "bmi", "children"]))
joblib.dump(make_pipeline(columns, GradientBoostingRegressor()).fit(X, y), "model.joblib")
"""

APP = """\
import time
import joblib, pandas as pd
from flask import Flask, request

app = Flask(__name__)
model = joblib.load("model.joblib")

@app.get("/health")
def health():
    return {"status": "ok"}

@app.post("/predict")
def predict():
    rows = request.get_json()
    return {"predictions": model.predict(pd.DataFrame(rows["data"], columns=rows["columns"])).tolist()}

@app.get("/slow")
def slow():
    time.sleep(0.5)
    return {"status": "slept"}
"""

REPORT = """\
done = function(summary, latency)
  io.write(string.format("%f %f\\n", summary.requests / summary.duration * 1e6, latency:percentile(99) / 1e3))
end
"""
ROW = [44, "female", 27.5, 1, "no", "northwest"]
COLUMNS = ["age", "sex", "bmi", "children", "smoker", "region"]


@dataclass(frozen=True)
class Figures:
    """What one run of one candidate showed. Rates in requests a second, times in milliseconds, memory in MiB."""

    one_row: float
    one_row_cpu: float
    """CPU time of the container for one request: what is left of the comparison on a machine that has other work."""
    p99: float
    one_row_closing: float
    thousand_rows: float
    thousand_rows_cpu: float
    past_idle: float
    """A fresh request's time beside 64 kept-alive connections that are silent."""
    past_slow: float
    """The same beside 64 connections that have sent half a request line."""
    stop: float
    """From the signal until the container has ended, with 16 requests of 500 ms running or waiting."""
    dropped: float
    """How many of those 16 got no answer."""
    start: float
    pss: float


def main(rounds: int) -> None:
    """Print one row a candidate, medians over the rounds."""
    client = Engine.connect().client
    _build(client)
    found: dict[str, list[Figures]] = {name: [] for name in CANDIDATES}
    for number in range(rounds):
        for name, command in CANDIDATES.items():
            figures = measure(client, command)
            sys.stderr.write(f"round {number + 1}: {name}: {figures}\n")
            found[name].append(figures)
    names = [field.name for field in fields(Figures)]
    print(f"| server | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for name, runs in found.items():
        medians = (statistics.median(values) for values in zip(*map(astuple, runs), strict=True))
        print(f"| {name} | {' | '.join(f'{value:.3g}' if value < 100 else f'{value:.0f}' for value in medians)} |")


def _build(client: APIClient) -> None:
    build = load(Path.cwd()).build
    certificates = Path(build.ca_bundle or certifi.where()).read_text()
    files = {
        "Dockerfile": RECIPE,
        "train.py": TRAIN,
        "app.py": APP,
        "gunicorn_conf.py": CONFIGURATION.read_text(),
        "ca.pem": certificates,
    }
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    context.seek(0)
    arguments = {"BASE": build.base_image}
    for event in client.build(
        fileobj=context, custom_context=True, tag=IMAGE, buildargs=arguments, rm=True, forcerm=True, decode=True
    ):
        if "error" in event:
            sys.exit(f"The image does not build: {event['error']}")


def measure(client: APIClient, command: str) -> Figures:
    """Start a candidate, try it in every way, and stop it under load."""
    with _container(client, command) as (container, url, started):
        _warm_up(url)
        pss = _pss(client, container)
        before = _cpu(client, container)
        rate, p99 = _load(url, rows=1)
        between = _cpu(client, container)
        thousand, _ = _load(url, rows=1000)
        after = _cpu(client, container)
        closing, _ = _load(url, rows=1, close=True)
        with _idle(url):
            past_idle = _fresh_request(url)
        with _half_sent(url):
            past_slow = _fresh_request(url)
        stop, dropped = _stop_under_load(client, container, url)
    return Figures(
        one_row=rate,
        one_row_cpu=(between - before) / (rate * SECONDS),
        p99=p99,
        one_row_closing=closing,
        thousand_rows=thousand,
        thousand_rows_cpu=(after - between) / (thousand * SECONDS),
        past_idle=past_idle,
        past_slow=past_slow,
        stop=stop,
        dropped=dropped,
        start=started,
        pss=pss,
    )


@contextmanager
def _container(client: APIClient, command: str) -> Iterator[tuple[str, str, float]]:
    limits = client.create_host_config(port_bindings={5000: ("127.0.0.1", None)})
    container = client.create_container(IMAGE, command, ports=[5000], host_config=limits)["Id"]
    begun = time.monotonic()
    try:
        client.start(container)
        port = client.inspect_container(container)["NetworkSettings"]["Ports"]["5000/tcp"][0]["HostPort"]
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            time.sleep(0.01)
        yield container, url, (time.monotonic() - begun) * 1000
    finally:
        client.remove_container(container, force=True)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).ok
    except requests.RequestException:
        return False


def _warm_up(url: str) -> None:
    for _ in range(20):
        requests.post(f"{url}/predict", json={"columns": COLUMNS, "data": [ROW]}, timeout=10).raise_for_status()


def _cpu(client: APIClient, container: str) -> float:
    told = client.stats(container, stream=False, one_shot=True)
    return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e6


def _pss(client: APIClient, container: str) -> float:
    top = psutil.Process(client.inspect_container(container)["State"]["Pid"])
    return sum(each.memory_full_info().pss for each in (top, *top.children(recursive=True))) / 2**20


def _load(url: str, *, rows: int, close: bool = False) -> tuple[float, float]:
    """Requests a second and the 99th percentile in milliseconds, as wrk sees them."""
    body = json.dumps({"columns": COLUMNS, "data": [ROW] * rows})
    headers = 'wrk.headers["Content-Type"] = "application/json"\n'
    headers += 'wrk.headers["Connection"] = "close"\n' if close else ""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = 'POST'\nwrk.body = [==[{body}]==]\n{headers}{REPORT}\n")
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name, f"{url}/predict"]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, p99 = map(float, out.strip().splitlines()[-1].split())
    return rate, p99


@contextmanager
def _idle(url: str) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(64):
            connection = stack.enter_context(_connection(url))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with suppress(TimeoutError):  # a worker that listens to another silent client: the next request will tell
                connection.recv(65536)
        yield


@contextmanager
def _half_sent(url: str) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(_connection(url)).sendall(b"GET /hea")
        yield


def _connection(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 1)


def _fresh_request(url: str) -> float:
    """Milliseconds; ten seconds where it got no answer."""
    begun = time.monotonic()
    try:
        requests.get(f"{url}/health", timeout=10)
    except requests.RequestException:
        return 10_000
    return (time.monotonic() - begun) * 1000


def _stop_under_load(client: APIClient, container: str, url: str) -> tuple[float, float]:
    answered: list[bool] = []

    def ask() -> None:
        try:
            answered.append(requests.get(f"{url}/slow", timeout=30).ok)
        except requests.RequestException:
            answered.append(False)

    askers = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for asker in askers:
        asker.start()
    time.sleep(0.25)  # all have been sent, none has been answered
    begun = time.monotonic()
    client.kill(container, "SIGTERM")
    client.wait(container)
    stop = (time.monotonic() - begun) * 1000
    for asker in askers:
        asker.join()
    return stop, answered.count(False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
