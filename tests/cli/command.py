"""`mldeploy` as a user's shell starts it, in a world of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.cli import warm
from tests.cli.schemas import check_document
from tests.cli.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "mldeploy")

MINE = ("DOCKER_", "MLDEPLOY_", "XDG_", "LC_")


@dataclass(frozen=True)
class Result:
    """How a command ended. `document` is what it printed under `--json`: exactly one."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    @property
    def error(self) -> dict[str, object]:
        error = self.document["error"]
        assert isinstance(error, dict)
        return error


@dataclass(frozen=True)
class Command:
    """Runs `mldeploy` in a folder, with state and configuration folders of its own."""

    home: Path
    """State, configuration, installed plug-ins."""
    folder: Path
    """The app, and where the commands are started."""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.home / "state" / "mldeploy"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(MINE) and name != "NO_COLOR"}
        paths = os.pathsep.join((str(self.home / "plugins"), str(ROOT)))
        own = {f"XDG_{name.upper()}_HOME": str(self.home / name) for name in ("state", "config", "cache")}
        temporary = self.home / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": paths, "TMPDIR": str(temporary), **own, **self.extra}

    def with_env(self, **variables: str) -> Command:
        return replace(self, extra={**self.extra, **variables})

    def __call__(self, *arguments: str, stdin: str = "", within: float = 1200) -> Result:
        result = self._run(arguments, stdin, within) if self._is_usual else self._run_anew(arguments, stdin, within)
        if "--json" in arguments:
            check_document(arguments, result.out)
        return result

    @property
    def _is_usual(self) -> bool:
        """Whether the interpreter is started without options of its own (`warm`)."""
        return not (self.home / "plugins" / "sitecustomize.py").exists() and not any(
            name.startswith(("PYTHON", "LC_", "LANG")) for name in self.extra
        )

    def _run(self, arguments: tuple[str, ...], stdin: str, within: float) -> Result:
        return Result(*warm.run(arguments, stdin=stdin, env=self.env, folder=self.folder, within=within))

    def _run_anew(self, arguments: tuple[str, ...], stdin: str = "", within: float = 1200) -> Result:
        """Run it in a new interpreter, as a shell does."""
        done = subprocess.run(
            (*PROGRAM, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.env,
            timeout=within,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def measure_cpu(self, *arguments: str) -> float:
        """Return the least processor time of three runs, in seconds.

        A busy machine and the first compilation of the modules only add to it.
        """
        return min(self._measure_once(arguments) for _ in range(3))

    def _measure_once(self, arguments: tuple[str, ...]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._run_anew(arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, without waiting for its end; in a session of its own, as a shell's job."""
        return subprocess.Popen(
            (*PROGRAM, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.env,
            start_new_session=True,
        )

    def on_terminal(self, *arguments: str, columns: int = 80, rows: int = 24) -> Terminal:
        return Terminal((*PROGRAM, *arguments), env=self.env, cwd=self.folder, columns=columns, rows=rows)
