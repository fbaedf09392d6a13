"""A canary as a user starts, watches, promotes and aborts it, on this machine; and two versions compared alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mldeploy.image.engine import Engine
from tests.cli.command import Command
from tests.names import app_name, remove_app
from tests.ports import reserved_port

PROGRAM = """\
import http.server, json, signal, threading, time
FACTOR, PAUSE = {factor}, {pause}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"{{}}")
    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(PAUSE)
        self.answer(json.dumps({{"prediction": row["age"] * (FACTOR if row["age"] > 40 else 1)}}).encode())
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
"""
DOCKERFILE = """\
FROM mldeploy/python:3.11-slim
USER 10001
COPY app.py /app.py
CMD ["python3", "/app.py"]
"""
CONFIGURATION = """\
[app]
name = "{name}"
port = 8080
models = []
[build]
dockerfile = "Dockerfile"
[check]
golden = "golden.json"
start_timeout = 300
[target.local]
port = {port}
[rollout]
hold = "{hold}"
"""
GOLDEN = '{"path": "/predict_api", "request": {"age": 20}, "expect": {"prediction": 20}}'
STEPS = {"MLDEPLOY_ROLLOUT_STRATEGY": "canary"}


def write_app(folder: Path, factor: float = 1.0, pause: float = 0.0) -> None:
    (folder / "app.py").write_text(PROGRAM.format(factor=factor, pause=pause))


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> Iterator[Command]:
    folder, name = tmp_path / "app", app_name()
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").touch()
    (folder / "golden.json").write_text(GOLDEN)
    (folder / "rows.csv").write_text("age\n" + "\n".join(map(str, range(20, 60))))
    write_app(folder)
    with reserved_port() as port:
        (folder / "mldeploy.toml").write_text(CONFIGURATION.format(name=name, port=port, hold="5s"))
        yield Command(tmp_path / "home", folder)
        remove_app(engine, name)


@pytest.mark.engine
def test_a_canary_from_its_first_request_to_its_promotion(app: Command) -> None:
    first = app("deploy", "--canary", "10")
    assert first.code == 0, first.err
    assert "Nothing serves yet" in first.err
    assert "has no canary" in app("canary", "status").out

    write_app(app.folder, factor=1.1)
    compared = app("diff", "--sample", "rows.csv")
    assert compared.code == 1, compared.err
    assert "working folder: 21 of 40 rows agree (52.5 %)" in compared.out
    assert "prediction" in compared.out
    aborted = app("deploy", "--canary", "10", "--sample", "rows.csv")
    assert aborted.code == 1
    assert "21 of 40 rows agree (52.5 %); at least 99 % must (rollout.min_agreement)" in aborted.err
    assert app("canary", "status", "--json").document["canary"] is None

    write_app(app.folder, factor=1.0000001)
    placed = app("deploy", "--canary", "10", "--sample", "rows.csv", "--json").document
    state, agreement = placed["canary"], placed["agreement"]
    assert isinstance(state, dict)
    assert isinstance(agreement, dict)
    assert (state["percent"], state["ratio"]) == (10.0, "")
    assert (agreement["rows"], agreement["agreeing"], agreement["worst"]) == (40, 40, [])
    assert app("status", "--json").document["canary"] == state
    assert app("ps", "--json").document["canary"] == state
    releases = app("history", "--json").document["releases"]
    assert [each["state"] for each in releases] == ["candidate", "serving"]  # type: ignore[attr-defined]

    lowered = app("deploy", "--canary", "5", "--json").document["canary"]
    assert isinstance(lowered, dict)
    assert (lowered["canary"], lowered["percent"]) == (state["canary"], 5.0)

    for words in (["deploy"], ["rollback"]):
        refused = app(*words)
        assert refused.code == 9
        assert "mldeploy canary promote" in refused.err
        assert "mldeploy canary abort" in refused.err

    promoted = app("canary", "promote", "--json").document
    assert (promoted["action"], promoted["canary"]) == ("promoted", None)
    refused = app("canary", "promote")
    assert (refused.code, "failed" in refused.err) == (7, False), "it has not begun"
    assert app("canary", "abort", "--json").document["action"] == "none"
    again = app("deploy", "--canary", "10")
    assert "serves already" in again.out, again.err

    new, old = (each["revision"] for each in app("history", "--json").document["releases"])  # type: ignore[attr-defined]
    both = app("diff", old, new, "--json").document["agreement"]
    assert isinstance(both, dict)
    assert both["share"] == 1.0


@pytest.mark.engine
def test_both_versions_ask_for_the_access_key(app: Command) -> None:
    """The app has its own server, so the proxy checks the keys: it must go on to after each change of its routes."""
    keyed = app.with_env(MLDEPLOY_APP_ACCESS="key")
    url = str(keyed("deploy", "--json").document["url"])
    write_app(app.folder, factor=1.0000001)

    def statuses() -> set[int]:
        responses = (requests.post(f"{url}/predict_api", json={"age": 20}, timeout=300) for _ in range(10))
        return {each.status_code for each in responses}

    for words in (
        ["deploy", "--canary", "50"],
        ["canary", "abort"],
        ["deploy", "--canary", "50"],
        ["canary", "promote"],
    ):
        done = keyed(*words)
        assert done.code == 0, done.err
        assert statuses() == {401}, words
        assert keyed("predict", "--data", '{"age": 20}').code == 0


@pytest.mark.engine
def test_steps_end_at_a_slower_version_and_go_on_after_ctrl_c(app: Command) -> None:
    assert app("deploy").code == 0
    write_app(app.folder, pause=0.5)
    slow = app.with_env(**STEPS, MLDEPLOY_ROLLOUT_HOLD="10m")("deploy")
    assert slow.code == 1
    assert "the median latency of the canary is" in slow.err
    assert "rollout.max_latency_ratio" in slow.err
    assert app("canary", "status", "--json").document["canary"] is None

    write_app(app.folder, factor=1.0000001)
    generous = app.with_env(**STEPS, MLDEPLOY_ROLLOUT_MAX_LATENCY_RATIO="1000", MLDEPLOY_ROLLOUT_HOLD="10m")
    assert interrupt_at_hold(generous) == 130
    state = app("canary", "status", "--json").document["canary"]
    assert isinstance(state, dict)
    assert state["percent"] == 10.0

    done = generous.with_env(MLDEPLOY_ROLLOUT_HOLD="1s")("deploy", "--json")
    assert done.code == 0, done.err
    assert done.document["canary"] is None
    assert [each["state"] for each in app("history", "--json").document["releases"]] == ["serving", "old"]  # type: ignore[attr-defined]


def interrupt_at_hold(command: Command) -> int:
    """Deploy, press Ctrl-C once the first step is held, and return the exit code."""
    words = (sys.executable, "-m", "mldeploy", "deploy")
    with subprocess.Popen(words, cwd=command.folder, env=command.env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        heard = []
        for line in running.stderr:
            heard.append(line)
            if line.startswith("Hold at 10 %") and len(heard) > 1:
                running.send_signal(signal.SIGINT)
                break
        heard += running.stderr.readlines()
        code = running.wait(600)
    assert "The canary stands at 10 % of the requests." in "".join(heard), heard
    return code


def test_a_percentage_outside_of_the_limits_and_a_sample_without_a_canary_are_refused(app: Command) -> None:
    assert app("deploy", "--canary", "100").code == 2
    assert app("deploy", "--canary", "0").code == 2
    alone = app("deploy", "--sample", "rows.csv")
    assert alone.code == 2
    assert "--canary" in alone.err


@pytest.mark.parametrize(
    ("key", "value"), [("STEPS", "x"), ("HOLD", "5"), ("HOLD", "25h"), ("MIN_AGREEMENT", "1.5"), ("STRATEGY", "blue")]
)
def test_a_wrong_setting_is_named(app: Command, key: str, value: str) -> None:
    refused = app.with_env(**{f"MLDEPLOY_ROLLOUT_{key}": value})("deploy")
    assert refused.code == 3, refused.err
    assert f"MLDEPLOY_ROLLOUT_{key}" in refused.err or key == "STEPS"


def test_falling_steps_are_refused(app: Command) -> None:
    configuration = app.folder / "mldeploy.toml"
    configuration.write_text(configuration.read_text() + "steps = [50, 10]\n")
    refused = app("deploy")
    assert refused.code == 3
    assert "rising percentages" in refused.err
