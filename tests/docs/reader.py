"""A reader of the documentation: types its lines into a shell, one after the other, in a folder of his own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.config.paths import config_file
from tests.cli.command import Command, Result

ROOT = Path(__file__).parents[2]
_REVISIONS = re.compile(r"mldeploy (?P<command>rollback|diff) (?P<revisions>\d+(?: \d+)?)(?: (?P<rest>.*))?$")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Z]+)=\$\(")
_PROGRAM = """\
#!{python}
import sys
sys.path[:0] = [{root!r}]
from tests.docs.adaptation import adapt
from mldeploy.cli.start import main
sys.argv[1:] = adapt(sys.argv[1:])
sys.exit(main())
"""


@dataclass
class Reader:
    """Where the lines are run: each in bash, with `mldeploy` on PATH.

    name: the app's, which replaces the one that a file or the folder gives it, so that pages do not meet on the engine.
    """

    home: Path
    folder: Path
    name: str
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write `mldeploy` for the lines, and take over this machine's settings."""
        programs = self.home / "bin"
        programs.mkdir(parents=True)
        (programs / "mldeploy").write_text(_PROGRAM.format(python=sys.executable, root=str(ROOT)))
        (programs / "kubectl").write_text("#!/bin/sh\ncat > /dev/null\n")
        for program in programs.iterdir():
            program.chmod(0o755)
        if config_file().exists():
            own = self.home / "config" / "mldeploy"
            own.mkdir(parents=True)
            shutil.copy(config_file(), own)

    @property
    def env(self) -> dict[str, str]:
        base = Command(self.home, self.folder).env
        return {
            **base,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BROWSER": "true",
            "HOME": str(self.home),
            "MLDEPLOY_APP_NAME": self.name,
            "MLDEPLOY_CHECK_START_TIMEOUT": "240",  # a busy machine; no target allows more than Cloud Run does
            "MLDEPLOY_TARGET_LOCAL_PORT": "0",
            "PATH": os.pathsep.join((str(self.home / "bin"), base["PATH"])),
            **self.variables,
        }

    def type(self, line: str) -> Result:
        """Run one line of a page and wait for its end. `cd` holds for those that follow."""
        if line.startswith("cd "):
            self.folder = self.folder / line.removeprefix("cd ")
            return Result(0, "", "")
        line = self._with_revisions(line)
        if match := _ASSIGNMENT.match(line):
            return self._assign(match["name"], line)
        if " --follow" in line or " -f " in f"{line} ":
            return self._follow(line)
        done = subprocess.run(
            self._shell(line), capture_output=True, text=True, cwd=self.folder, env=self.env, timeout=1200, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def _with_revisions(self, line: str) -> str:
        """The line with revisions that there are: `rollback` gets one that does not serve, `diff` the two newest."""
        match = _REVISIONS.match(line)
        if not match:
            return line
        listed = self.type(f"mldeploy history --json {match['rest']}")
        releases = json.loads(listed.out)["releases"]
        if match["command"] == "rollback":
            releases = [each for each in releases if each["state"] != "serving"]
        count = len(match["revisions"].split())
        names = " ".join(each["revision"] for each in reversed(releases[:count]))
        return f"mldeploy {match['command']} {names} {match['rest']}"

    def _assign(self, name: str, line: str) -> Result:
        """`NAME=$(…)`, which holds for the lines that follow."""
        result = self.type(f'set -e; {line}; printf %s "${name}"')
        self.variables[name] = result.out
        return result

    def _follow(self, line: str) -> Result:
        """Press Ctrl-C once the first line was printed."""
        with subprocess.Popen(
            self._shell(line),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.env,
            start_new_session=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            first = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=600)
        return Result(0 if first else process.returncode, first + out, err)

    def _shell(self, line: str) -> tuple[str, ...]:
        written = {"--app insurance": f"--app {self.name}", "TARGET": "fargate", "sha256:…": f"sha256:{'0' * 64}"}
        for words, meant in written.items():
            line = line.replace(words, meant)
        return ("bash", "-o", "pipefail", "-c", line)
