"""Runs a workflow's jobs as a runner of GitHub's does: the same bash, files and variables, in a fresh copy each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.ci.programs import Programs
from tests.ci.repo import Repo, Workflow
from tests.cli.command import ROOT

STATE = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
UV = str(Path(sys.executable).with_name("uv"))
CANCELLED = "${{ !cancelled() }}"


@dataclass
class Ran:
    """What became of a job. outputs: of its steps, by id and name. failed: the step that did, and what it said."""

    names: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Runner:
    """folder: for its files. known: variables (`vars.X`), secrets (`secrets.X`) and other expressions. given: its own
    environment. programs: further ones, as lines of bash.

    `mldeploy` on it is this one, which does in rehearsal what would be done in a cloud; what an action would do is not
    done, except for a copy of the repository and a Python.
    """

    folder: Path
    repo: Repo
    known: Mapping[str, str]
    given: Mapping[str, str]
    programs: Mapping[str, str] = field(default_factory=dict)

    def job(self, workflow: Workflow, name: str) -> Ran:
        """Run one, to its end or its first failure."""
        return _Job(self, workflow["jobs"][name], self.folder / name).run()


def provide(folder: Path, temp: Path) -> Path:
    """Put on PATH what a runner has: mldeploy, which does in rehearsal what is done in a cloud, pipx and `az`."""
    programs = Programs(folder)
    words = f'exec env PYTHONPATH={ROOT} {sys.executable} -m mldeploy "$@"'
    rehearsed = "deploy|push|promote|destroy|status"
    programs.add("mldeploy", f"case $1 in {rehearsed}) {words} --rehearse;; *) {words};; esac")
    tools = f"export UV_TOOL_DIR={temp}/tools UV_TOOL_BIN_DIR={folder}"
    install = f'{tools}; exec {UV} tool install --quiet --python {sys.executable} "$2"'
    programs.add("pipx", f"[[ $1 = install ]] || exit 2; case $2 in mldeploy*) ;; *) {install};; esac")
    programs.add("az")
    return folder


class _Job:
    def __init__(self, runner: Runner, job: Workflow, root: Path) -> None:
        self.runner, self.job = runner, job
        self.workspace, self.temp = root / "workspace", root / "temp"
        for folder in (self.workspace, self.temp):
            folder.mkdir(parents=True)
        self.programs = Programs(root / "bin")
        self.ran = Ran()
        self.path = f"{self.programs.folder}:{os.environ['PATH']}"
        self.env: dict[str, str] = {}
        self._provide()

    def _provide(self) -> None:
        """What is installed on it."""
        provide(self.programs.folder, self.temp)
        for name, body in self.runner.programs.items():
            self.programs.add(name, body)

    def run(self) -> Ran:
        for step in self.job["steps"]:
            if self.ran.failed and step.get("if") != CANCELLED:
                continue
            self.ran.names.append(step["name"])
            if "uses" in step:
                self._use(step["uses"].partition("@")[0], step.get("with", {}))
            else:
                self._run(step)
        summary = self._file("GITHUB_STEP_SUMMARY")
        self.ran.summary = summary.read_text() if summary.exists() else ""
        return self.ran

    def _use(self, action: str, given: Mapping[str, str]) -> None:
        if action == "actions/checkout":
            into = self.workspace / given.get("path", ".")
            subprocess.run(("git", "clone", "--quiet", str(self.runner.repo.root), str(into)), check=True)
        elif action == "actions/upload-artifact":
            shutil.copytree(self._resolve(given["path"]), self._artifact(given))
        elif action == "actions/download-artifact":
            shutil.copytree(self._artifact(given), self._resolve(given["path"]))
        elif action == "actions/setup-python":
            venv = self.temp / "python"
            subprocess.run((UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(venv)), check=True)
            self.path = f"{self.programs.folder}:{venv / 'bin'}:{os.environ['PATH']}"

    def _artifact(self, given: Mapping[str, str]) -> Path:
        return self.runner.folder / "artifacts" / given["name"]

    def _resolve(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", self._known, text)

    def _run(self, step: Workflow) -> None:
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        folder = self.workspace / self.job["defaults"]["run"].get("working-directory", ".")
        done = subprocess.run(
            ("bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)),
            cwd=folder, env=self._environment(step), capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._collect(step)
        if done.returncode:
            self.ran.failed = f"{step['name']}: {done.stdout}{done.stderr}"

    def _environment(self, step: Workflow) -> dict[str, str]:
        own = {name: self._resolve(value) for name, value in {**self.job.get("env", {}), **step.get("env", {})}.items()}
        files = {name: str(self._file(name)) for name in STATE}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLDEPLOY_", "GITHUB_"))}
        return {
            **kept,
            **self.runner.given,
            **self.env,
            **files,
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_REPOSITORY": "octo/insurance",
            "PATH": self.path,
            **own,
        }

    def _known(self, match: re.Match[str]) -> str:
        return str(self.temp) if match[1] == "runner.temp" else self.runner.known[match[1]]

    def _collect(self, step: Workflow) -> None:
        self.env |= self._pairs("GITHUB_ENV")
        self.ran.outputs |= {
            f"{step.get('id', '')}.{key}": value for key, value in self._pairs("GITHUB_OUTPUT").items()
        }

    def _pairs(self, name: str) -> dict[str, str]:
        path = self._file(name)
        return dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}

    def _file(self, name: str) -> Path:
        return self.temp / name.lower()
