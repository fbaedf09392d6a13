"""What an image's own Python says of itself: what is installed in it, and whether the models load."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from mldeploy.config.text import size
from mldeploy.core.monitor import Monitor
from mldeploy.image.check.trial import Trial
from mldeploy.image.errors import engine_errors
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import StartError

INSPECTOR = Path(__file__).with_name("inspector.py")
INTERPRETERS = ("python3", "python")
LOOK_EVERY = 0.1
COMPLETE_SECONDS = 5.0

_PACKAGE = re.compile(r".*/(?:site|dist)-packages/([^/]+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Distribution:
    """A distribution that is installed. name: as its authors write it. license: as they say it, "" if they do not.

    requires: what it needs, as PEP 508 says it.
    """

    name: str
    version: str
    license: str = ""
    requires: tuple[str, ...] = ()

    @property
    def normalized(self) -> str:
        """The name as PEP 503 compares it."""
        return canonicalize_name(self.name)


@dataclass(frozen=True)
class Load:
    """How one model loaded. error: the exception's last line, "" if there was none; library: whose code raised it."""

    path: str
    error: str = ""
    library: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What was told. python: the version, "" if the image has none that could be asked; then `problem` says why.

    distributions: None if they could not be listed. loads: one for each model that was tried.
    """

    python: str = ""
    machine: str = ""
    distributions: tuple[Distribution, ...] | None = None
    loads: tuple[Load, ...] = ()
    problem: str = ""

    @property
    def installed(self) -> Mapping[str, Distribution]:
        """By normalized name."""
        return {each.normalized: each for each in reversed(self.distributions or ())}


def inspect(trial: Trial, models: Iterable[str], monitor: Monitor, within: float) -> Inspection:
    """Ask the image's Python, in a container behind the app's walls. models: paths in the image. within: seconds.

    Raises EngineError, CancelledError.
    """
    found = Inspection(problem="the image has no Python that could be asked")
    for interpreter in INTERPRETERS:
        try:
            return _ask(trial, interpreter, tuple(models), monitor, within)
        except StartError as error:
            _log.info("%s in %s: %s", interpreter, trial.reference, error.what)
    return found


def _ask(trial: Trial, interpreter: str, models: tuple[str, ...], monitor: Monitor, within: float) -> Inspection:
    program = [interpreter, "-c", INSPECTOR.read_text(encoding="utf-8"), json.dumps(models)]
    nothing: dict[str, object] = {"Entrypoint": program, "Cmd": [], "Healthcheck": {"Test": ["NONE"]}}
    # Without an init it is the engine itself that says that there is no such program.
    with trial.container(replace(trial.spec(), init=False), **nothing) as made:
        ended = _ended(trial, made, monitor, within)
        told = _Told()
        # The engine may still be writing down what the program said last.
        for _ in monitor.attempts(every=LOOK_EVERY, within=COMPLETE_SECONDS):
            told = _Told.read(_stdout(trial, made))
            if ended.running or ended.exit_status or told.is_complete(models):
                break
        return told.inspection(_fate(trial, ended, within), ended.exit_status)


def _ended(trial: Trial, made: str, monitor: Monitor, within: float) -> Container:
    """The container once it has ended; as it still ran when it was killed for taking too long."""
    container = trial.containers.start(made)
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        container = trial.containers.present(made)
        if not container.running:
            return container
    trial.containers.kill(made)
    return container


def _fate(trial: Trial, ended: Container, within: float) -> str:
    """What a model has done to the process that was loading it, if it did not come to its end."""
    if ended.running:
        return f"did not load within {within:.0f} s"
    if ended.oom_killed:
        return f"takes more memory than the {size(trial.app.memory)} that the app may use"
    return f"ended the process (exit code {ended.exit_status})"


def _stdout(trial: Trial, container: str) -> list[str]:
    with engine_errors(container[:12]):
        written: bytes = trial.engine.client.logs(container, stdout=True, stderr=False)
    return written.decode(errors="replace").splitlines()


@dataclass
class _Told:
    """The inspector's lines, put together."""

    python: str = ""
    machine: str = ""
    distributions: tuple[Distribution, ...] | None = None
    problem: str = ""
    loading: str = ""
    loads: list[Load] = field(default_factory=list)

    @classmethod
    def read(cls, lines: Iterable[str]) -> _Told:
        told = cls()
        for line in lines:
            try:
                facts = json.loads(line)
            except ValueError:
                continue  # torn off when the process was killed
            if isinstance(facts, dict):
                told._hear(facts)
        return told

    def is_complete(self, models: tuple[str, ...]) -> bool:
        return bool(self.distributions is not None or self.problem) and len(self.loads) == len(models)

    def inspection(self, fate: str, exit_status: int) -> Inspection:
        """fate: what the model that was being loaded last has done, if the process ended over it."""
        loads = list(self.loads)
        if self.loading:
            loads.append(Load(self.loading, fate))
        problem = self.problem
        if not self.python:
            problem = f"the image's Python could not be asked (exit code {exit_status})"
        return Inspection(self.python, self.machine, self.distributions, tuple(loads), problem)

    def _hear(self, facts: dict[str, object]) -> None:
        if "python" in facts:
            self.python, self.machine = str(facts["python"]), str(facts.get("machine", ""))
        if "distributions" in facts:
            listed = facts["distributions"]
            self.distributions = tuple(map(_distribution, listed)) if isinstance(listed, list) else None
            self.problem = str(facts.get("problem", ""))
        if "loading" in facts:
            self.loading = str(facts["loading"])
        if "model" in facts:
            self.loading = ""
            self.loads.append(_load(facts))


def _distribution(facts: dict[str, object]) -> Distribution:
    return Distribution(
        str(facts["name"]), str(facts["version"]), str(facts.get("license") or ""), _texts(facts.get("requires"))
    )


def _load(facts: dict[str, object]) -> Load:
    return Load(
        str(facts["model"]), str(facts["error"]), _library(_texts(facts["files"])), _texts(facts.get("warnings"))
    )


def _library(files: tuple[str, ...]) -> str:
    """The package whose code raised last, "" if it was none's; joblib only carries the news of what it reads."""
    packages = [match[1] for file in files if (match := _PACKAGE.match(file))]
    named = [each for each in packages if each != "joblib"] or packages
    return named[-1].removesuffix(".py") if named else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
