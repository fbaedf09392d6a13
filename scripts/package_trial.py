"""An installation of the wheel in an environment of its own, and the commands that are tried there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

APP = """\
from flask import Flask, request

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.post("/predict")
def predict():
    return {"twice": 2 * request.get_json()["number"]}
"""
KEPT = ("PATH", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "LANG", "TMPDIR")
"""The variables that the tried commands get: nothing in them leads to the checkout."""
SECONDS = 120
IMPORT_ALL = """\
import importlib, pkgutil
import mldeploy
clouds = tuple(f"mldeploy.providers.{name}." for name in ("aws", "azure", "gcp", "kubernetes"))
extras = (*clouds, "mldeploy.check.sbom", "mldeploy.rehearsal.", "mldeploy.testing.")
in_images = ("check.inspector", "check.model_probe", "check.route_lister", "image.server")
elsewhere = tuple(f"mldeploy.{name}" for name in ("__main__", *in_images))
for each in pkgutil.walk_packages(mldeploy.__path__, "mldeploy.", onerror=lambda name: None):
    if not each.name.startswith((*extras, *elsewhere)):
        importlib.import_module(each.name)
print("all imported")
"""
"""Every module that needs no extra can be imported. What runs in an image or beside the proxy is not imported here."""


@dataclass(frozen=True)
class FreshInstall:
    """python: the environment's interpreter. folder: holds the app, and all that the commands write."""

    python: Path
    folder: Path

    @classmethod
    def of(cls, wheel: Path, folder: Path) -> "FreshInstall":
        """Install the wheel and what it requires, without an extra. SystemExit if that is not possible."""
        environment = folder / "environment"
        python = environment / "bin" / "python"
        _run_uv("venv", "--quiet", "--python", sys.executable, str(environment))
        _run_uv("pip", "install", "--quiet", "--python", str(python), str(wheel))
        _run_uv("pip", "check", "--quiet", "--python", str(python))
        app = folder / "app"
        app.mkdir()
        (app / "app.py").write_text(APP)
        (app / "requirements.txt").write_text("flask==3.1.3\n")
        return cls(python, folder)

    def problems(self) -> list[str]:
        """What did not work, a line each; empty if all did."""
        trials: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
            ("import of every module", self._import_all),
            ("--version", partial(self._expect, "--version", output="mldeploy ")),
            ("help", partial(self._expect, "help", output="deploy")),
            ("help deploy", partial(self._expect, "help", "deploy", output="Examples")),
            ("check --sbom", partial(self._expect, "check", "--sbom", "sbom.json", output="mldeploy[sbom]", code=2)),
            ("init", partial(self._expect, "init", output="mldeploy.toml")),
            ("doctor, plan", self._diagnose_and_plan),
        )
        return [f"{name}: {problem}" for name, run in trials for problem in run()]

    def _import_all(self) -> Iterator[str]:
        done = self._run(str(self.python), "-c", IMPORT_ALL)
        if done.stdout != "all imported\n":
            yield f"exit code {done.returncode}, {done.stderr}"

    def _expect(self, *arguments: str, output: str, code: int = 0) -> Iterator[str]:
        done = self._mldeploy(*arguments)
        if done.returncode != code or output not in done.stdout + done.stderr:
            yield f"exit code {done.returncode}, {done.stdout}{done.stderr}"

    def _diagnose_and_plan(self) -> Iterator[str]:
        """Without an engine, the doctor says so, and there is no plan."""
        diagnosis = self._mldeploy("doctor", "--json")
        if diagnosis.returncode not in (0, 1):
            yield f"doctor: exit code {diagnosis.returncode}, {diagnosis.stderr}"
            return
        findings = json.loads(diagnosis.stdout)["findings"]
        if any((each["group"], each["subject"], each["level"]) == ("engine", "engine", "ok") for each in findings):
            yield from self._expect("plan", "--json", output='"noop": false')
        else:
            print("plan: not tried, since no Docker Engine answers here", file=sys.stderr)

    def _mldeploy(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._run(str(self.python.with_name("mldeploy")), *arguments)

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        home = {name: str(self.folder / "home") for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.folder / "app",
            env={**kept, **home, "NO_COLOR": "1"},
        )


def _run_uv(*arguments: str) -> None:
    if subprocess.run([sys.executable, "-m", "uv", *arguments], check=False).returncode:
        sys.exit(f"`uv {' '.join(arguments)}` failed; the reason stands above.")
