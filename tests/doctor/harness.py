"""An app's folder that the doctor looks at, one group of checks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from mldeploy.doctor import checks as targets
from mldeploy.doctor import clock, configuration
from mldeploy.doctor.context import DoctorContext
from mldeploy.doctor.engine import findings as engine
from mldeploy.doctor.folder import content as folders
from mldeploy.doctor.network import checks as network
from mldeploy.doctor.network.probes import NetworkProbes
from mldeploy.doctor.runner import FindingGroup, run_checks
from mldeploy.providers.capabilities import DoctorCheck, Finding, Level

APP = 'from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get("/health")\ndef health():\n    return "ok"\n'


@dataclass(frozen=True)
class Report:
    """What a group of checks found."""

    findings: tuple[Finding, ...]

    def __getitem__(self, subject: str) -> Finding:
        """The only line about a subject."""
        result = self.about(subject)
        assert len(result) == 1, f"{subject}: {self}"
        return result[0]

    def about(self, subject: str) -> list[Finding]:
        return [each for each in self.findings if each.subject == subject]

    @property
    def worst(self) -> Level:
        levels = [each.level for each in self.findings]
        return max(levels, key=list(Level).index)

    def __str__(self) -> str:
        return "\n".join(f"{each.level} {each.subject}: {each.what} | {each.todo}" for each in self.findings)


@dataclass(frozen=True)
class Patient:
    """The folder, and what is written into it."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Patient:
        folder.mkdir()
        made = cls(folder)
        made.write("app.py", APP)
        made.write("requirements.txt", "flask\n")
        made.configure({"app": {"name": "patient"}, "build": {"platform": "linux/amd64"}})
        return made

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def configure(self, tables: dict[str, dict[str, object]]) -> None:
        self.write("mldeploy.toml", tomlkit.dumps(tables))

    def build(self, **keys: object) -> None:
        """Say this in `[build]`."""
        self.configure({"app": {"name": "patient"}, "build": {"platform": "linux/amd64", **keys}})

    def engine(self) -> Report:
        return _report(engine.engine_checks(self._about()))

    def in_folder(self) -> Report:
        return _report(folders.folder_checks(self._about()))

    def configuration(self) -> Report:
        return _report(configuration.checks(self._about()))

    def network(self) -> Report:
        about = self._about()
        return _report(network.network_checks(about, NetworkProbes(about)))

    def clock(self) -> Report:
        about = self._about()
        return _report(clock.checks(about, NetworkProbes(about)))

    def target(self, name: str = "local") -> Report:
        return _report(targets.target_checks(self._about(name)))

    def _about(self, target: str = "local") -> DoctorContext:
        return DoctorContext.of(self.folder, target)


def _report(checks: Sequence[DoctorCheck]) -> Report:
    return Report(tuple(each.finding for each in run_checks((FindingGroup.TARGET, check) for check in checks)))
