"""The target from the command line, against a rehearsed cluster: every line of the tutorial, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.command import Command
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine
ON = ("--target", "kubernetes", "--rehearse")
APP = """
import http.server, json, os, signal

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"status": "ok"})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"prediction": 42, "key": os.environ["KEY"]})

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nobody else ends a container's first process
print("serving on port", os.environ["PORT"], flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def mldeploy(tmp_path: Path) -> Command:
    require_registry()
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text(
        'FROM mldeploy/python:3.11-slim\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "/app.py"]\n'
    )
    (folder / "mldeploy.toml").write_text(
        '[app]\nname = "journey"\nmodels = []\nport = 8080\nhealth = "/health"\npredict = "/predict"\n'
        '[app.env]\nKEY = "a-value-of-its-own"\n[build]\ndockerfile = "Dockerfile"\n'
        "[target.kubernetes]\ninstances = 1\n"
    )
    return Command(tmp_path / "home", folder)


def test_from_a_folder_to_a_url_and_back(mldeploy: Command) -> None:
    try:
        _walk(mldeploy)
    finally:
        mldeploy("destroy", "--yes", *ON)
        mldeploy("rehearse", "down")


def _walk(mldeploy: Command) -> None:
    deployed = mldeploy("deploy", "--no-check", "--json", *ON)
    assert deployed.code == 0, deployed.err
    assert "@sha256:" in str(deployed.document["image"])
    assert str(deployed.document["url"]).startswith("http://127.")
    again = mldeploy("deploy", "--json", *ON).document["steps"]
    assert isinstance(again, list)
    assert {step["action"] for step in again} == {"unchanged"}
    request = mldeploy("predict", "--data", "{}", "--json", *ON)
    assert request.document["answer"] == {"prediction": 42, "key": "a-value-of-its-own"}, request.err
    documents = list(yaml.safe_load_all(mldeploy("manifests", *ON).out))
    assert {"Namespace", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"} == {
        each["kind"] for each in documents
    }
    ran = mldeploy("exec", *ON, "--", "python3", "-c", "print(6 * 7)")
    assert (ran.code, ran.out) == (0, "42\n"), ran.err
    typed = mldeploy("exec", "-i", *ON, "--", "python3", "-c", "print(input().upper(), end='')", stdin="said\n")
    assert (typed.code, typed.out) == (0, "SAID"), typed.err
    assert mldeploy("exec", *ON, "--", "python3", "-c", "raise SystemExit(3)").code == 3
    assert "  serving on port 8080" in mldeploy("logs", *ON).out
    assert mldeploy("history", *ON).code == 0
    assert "a-value-of-its-own" not in deployed.out + deployed.err + mldeploy("manifests", *ON).out
    gone = mldeploy("destroy", "--yes", "--json", *ON)
    assert gone.code == 0, gone.err
    assert "It is empty" in mldeploy("rehearse", "status").out


def test_what_other_targets_do_not_have_is_said(mldeploy: Command) -> None:
    for words in (("manifests",), ("deploy", "--no-rollback"), ("ps", "--context", "x")):
        refused = mldeploy(words[0], "--json", "--target", "local", *words[1:])
        assert refused.code in (2, 3), refused.err
        assert "Traceback" not in refused.err


def test_without_a_cluster_it_is_said_at_once(mldeploy: Command, tmp_path: Path) -> None:
    alone = mldeploy.with_env(KUBECONFIG=str(tmp_path / "none"))
    refused = alone("status", "--json", "--target", "kubernetes")
    assert refused.code == 12
    assert str(tmp_path / "none") in str(refused.error["what"])
