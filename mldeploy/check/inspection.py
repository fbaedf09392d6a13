"""The inspection of an image's Python: its installed distributions, and whether the models load."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from mldeploy.app.container import Container
from mldeploy.app.containers import ContainerStartError
from mldeploy.check.trial import CheckContainers
from mldeploy.config.text import size
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import engine_errors

INSPECTOR = Path(__file__).with_name("inspector.py")
INTERPRETERS = ("python3", "python")
LOOK_EVERY = 0.1
COMPLETE_SECONDS = 5.0

_PACKAGE = re.compile(r".*/(?:site|dist)-packages/([^/]+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Distribution:
    """An installed distribution. name: as in its metadata. license: "" if not declared.

    requires: its dependencies (PEP 508).
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
    """The result of loading a model. error: the exception's last line, or ""; library: the package that raised it."""

    path: str
    error: str = ""
    library: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageInspection:
    """The result. python: the version, "" if the image has none that runs; `problem` then says why.

    distributions: None if they could not be listed. loads: one for each model.
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


def inspect_image(trial: CheckContainers, models: Iterable[str], monitor: Monitor, within: float) -> ImageInspection:
    """Run the inspector in a container with production restrictions. models: paths in the image. within: seconds.

    Raises EngineError, CancelledError.
    """
    inspection = ImageInspection(problem="the image has no Python that runs")
    for interpreter in INTERPRETERS:
        try:
            return _run_inspector(trial, interpreter, tuple(models), monitor, within)
        except ContainerStartError as error:
            _log.info("%s in %s: %s", interpreter, trial.reference, error.what)
    return inspection


def _run_inspector(
    trial: CheckContainers, interpreter: str, models: tuple[str, ...], monitor: Monitor, within: float
) -> ImageInspection:
    program = [interpreter, "-c", INSPECTOR.read_text(encoding="utf-8"), json.dumps(models)]
    nothing: dict[str, object] = {"Entrypoint": program, "Cmd": [], "Healthcheck": {"Test": ["NONE"]}}
    # Without an init, the engine reports a missing program.
    with trial.container(replace(trial.spec(), init=False), **nothing) as made:
        ended = wait_for_end(trial, made, monitor, within)
        output = _InspectorOutput()
        # The engine may still be writing the last lines of the log.
        for _ in monitor.attempts(every=LOOK_EVERY, within=COMPLETE_SECONDS):
            output = _InspectorOutput.read(read_stdout(trial, made))
            if ended.running or output.is_complete(models) or (ended.exit_status and output.loading):
                break
        return output.inspection(describe_end(trial, ended, within), ended.exit_status)


def wait_for_end(trial: CheckContainers, made: str, monitor: Monitor, within: float) -> Container:
    """Return the container once it has ended; as it last ran if it was killed for its timeout."""
    container = trial.containers.start(made)
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        container = trial.containers.present(made)
        if not container.running:
            return container
    trial.containers.kill(made)
    return container


def describe_end(trial: CheckContainers, ended: Container, within: float) -> str:
    """Describe how a model ended the process that was loading it."""
    if ended.running:
        return f"did not load within {within:.0f} s"
    if ended.oom_killed:
        return f"takes more memory than the {size(trial.app.memory)} that the app may use"
    return f"ended the process (exit code {ended.exit_status})"


def read_stdout(trial: CheckContainers, container: str) -> list[str]:
    with engine_errors(container[:12]):
        written: bytes = trial.engine.client.logs(container, stdout=True, stderr=False)
    return written.decode(errors="replace").splitlines()


@dataclass
class _InspectorOutput:
    """The inspector's output."""

    python: str = ""
    machine: str = ""
    distributions: tuple[Distribution, ...] | None = None
    problem: str = ""
    loading: str = ""
    loads: list[Load] = field(default_factory=list)

    @classmethod
    def read(cls, lines: Iterable[str]) -> _InspectorOutput:
        output = cls()
        for line in lines:
            try:
                facts = json.loads(line)
            except ValueError:
                continue  # truncated when the process was killed
            if isinstance(facts, dict):
                output._add(facts)
        return output

    def is_complete(self, models: tuple[str, ...]) -> bool:
        return bool(self.distributions is not None or self.problem) and len(self.loads) == len(models)

    def inspection(self, fate: str, exit_status: int) -> ImageInspection:
        """fate: the result of the last model, if the process ended while loading it."""
        loads = list(self.loads)
        if self.loading:
            loads.append(Load(self.loading, fate))
        problem = self.problem
        if not self.python:
            problem = f"the image's Python could not be run (exit code {exit_status})"
        return ImageInspection(self.python, self.machine, self.distributions, tuple(loads), problem)

    def _add(self, facts: dict[str, object]) -> None:
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
    """Return the package that raised the exception, or "". joblib only passes exceptions on."""
    packages = [match[1] for file in files if (match := _PACKAGE.match(file))]
    named = [each for each in packages if each != "joblib"] or packages
    return named[-1].removesuffix(".py") if named else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
