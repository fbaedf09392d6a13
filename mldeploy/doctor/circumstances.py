"""What several checks look at, fetched once: the project as far as it can be read, and the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.config.override import Overrides
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.doctor.engine.choice import reason
from mldeploy.doctor.engine.facts import Facts
from mldeploy.doctor.pending import Pending
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.project.errors import ProjectError
from mldeploy.project.inspect import inspect

T = TypeVar("T")

ENGINE_SECONDS = 4.0
"""Less than a check has: one that needs the engine can still say that there is none."""


@dataclass(frozen=True)
class Reading:
    """What could be read of a folder.

    project: None if the configuration is wrong. notes: what was assumed ("app.entry: …"). problem: what is wrong with
    the configuration (a ConfigError) or with the folder.
    """

    project: Project | None
    notes: tuple[str, ...] = ()
    problem: MldeployError | None = None

    @classmethod
    def of(cls, folder: Path) -> Reading:
        """Read as much as possible. Raises nothing that a user could cause."""
        try:
            inspection = inspect(folder)
        except ConfigError as problem:
            return cls(None, problem=problem)
        except ProjectError as problem:
            return cls(_configured(folder), problem=problem)
        return cls(inspection.project, tuple(map(str, inspection.assumed)))


def _configured(folder: Path) -> Project | None:
    try:
        return load(folder)
    except ConfigError:
        return None


class Machine:
    """The engine and its facts. Both are being fetched from when this is made; who asks for them waits."""

    def __init__(self) -> None:
        self._engine = Pending(Engine.connect, ENGINE_SECONDS)
        self._facts = Pending(lambda: Facts.of(self._engine.result()), ENGINE_SECONDS)

    @property
    def engine(self) -> Engine:
        """Raises EngineError if there is none, or if it does not answer in time."""
        return _in_time(self._engine)

    @property
    def facts(self) -> Facts:
        """Raises EngineError."""
        return _in_time(self._facts)

    @property
    def known(self) -> Facts | None:
        """The facts, or None: that there is no engine is said once, by the check of the engine."""
        try:
            return self.facts
        except EngineError:
            return None


def _in_time(pending: Pending[T]) -> T:
    try:
        return pending.result()
    except TimeoutError as problem:
        what = f"does not answer within {ENGINE_SECONDS:g} s, though something listens there"
        todo = "Restart it. If it is on another machine, see that this one can reach it."
        raise EngineError(f"the engine ({reason()})", what, todo) from problem


@dataclass(frozen=True)
class Circumstances:
    """All of it. account: what was said over the target's settings on the command line."""

    folder: Path
    target: str
    reading: Reading
    machine: Machine
    account: Overrides = ()

    @classmethod
    def of(cls, folder: Path, target: str, account: Overrides = ()) -> Circumstances:
        """Begin to look."""
        return cls(folder, target, Reading.of(folder), Machine(), account)
