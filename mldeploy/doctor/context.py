"""The context that checks share: the project as far as it can be read, and the engine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.config.override import Overrides
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.doctor.engine.connection import selection_reason
from mldeploy.doctor.engine.facts import Facts
from mldeploy.doctor.runner import BackgroundValue
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project

T = TypeVar("T")

ENGINE_SECONDS = 4
"""Shorter than a check's timeout, so that a check can report a missing engine."""


@dataclass(frozen=True)
class FolderReading:
    """The readable part of a folder.

    project: None if the configuration is wrong. notes: assumptions ("app.entry: …"). problem: the error of the
    configuration (a ConfigError) or of the folder.
    """

    project: Project | None
    notes: tuple[str, ...] = ()
    problem: MldeployError | None = None

    @classmethod
    def of(cls, folder: Path, overrides: Overrides = ()) -> FolderReading:
        """Read as much as possible. Errors of the user's files are returned as `problem`."""
        try:
            inspection = load_project(folder, overrides)
        except ConfigError as problem:
            return cls(None, problem=problem)
        except ProjectError as problem:
            return cls(_load_project(folder, overrides), problem=problem)
        return cls(inspection.project, tuple(map(str, inspection.assumed)))


def _load_project(folder: Path, overrides: Overrides) -> Project | None:
    try:
        return load(folder, overrides)
    except ConfigError:
        return None


class EngineProbe:
    """The engine and its facts, fetched in the background from the constructor on. The properties wait for them."""

    def __init__(self) -> None:
        # Limited, since a thread that waits for the engine would outlive the command.
        self._engine = BackgroundValue(lambda: Engine.connect(ENGINE_SECONDS), ENGINE_SECONDS)
        self._facts = BackgroundValue(lambda: Facts.of(self._engine.result()), ENGINE_SECONDS)

    @property
    def engine(self) -> Engine:
        """Raises EngineError if there is none, or if it does not answer in time."""
        return _await_engine(self._engine)

    @property
    def facts(self) -> Facts:
        """Raises EngineError."""
        return _await_engine(self._facts)

    @property
    def known(self) -> Facts | None:
        """The facts, or None without an engine, which the engine's own check reports."""
        try:
            return self.facts
        except EngineError:
            return None


def _await_engine(pending: BackgroundValue[T]) -> T:
    try:
        return pending.result()
    except TimeoutError as problem:
        what = f"does not answer within {ENGINE_SECONDS:g} s, although something listens there"
        todo = "Restart it. If it runs on another machine, check the connection."
        raise EngineError(f"the engine ({selection_reason()})", what, todo) from problem


@dataclass(frozen=True)
class DoctorContext:
    """The context of all checks. account: overrides of the target's settings from the command line, and the
    choice of the environment.
    """

    folder: Path
    target: str
    reading: FolderReading
    machine: EngineProbe
    account: Overrides = ()

    @classmethod
    def of(cls, folder: Path, target: str, account: Overrides = ()) -> DoctorContext:
        """Read the folder, and start to fetch the engine's facts."""
        return cls(folder, target, FolderReading.of(folder, account), EngineProbe(), account)


def format_duration(seconds: float) -> str:
    """ "40 s", "12 min", "3 h", "2 d"."""
    seconds = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def join_words(items: Iterable[str]) -> str:
    """ "a, b and c"."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def without_credentials(url: str) -> str:
    """The URL without the user and the password that it may hold."""
    return _CREDENTIALS.sub(r"\1", url)


def host_of(url: str) -> str:
    """ "registry.example:5000" of "https://user:password@registry.example:5000/v2/"; "" if it has none."""
    match = _HOST.match(without_credentials(url))
    return match[1] if match else ""


def is_loopback(address: str) -> bool:
    """Whether a host with or without a port, "127.0.0.1:5000", is a loopback address."""
    name = re.sub(r":\d+$", "", address).strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


# Not urllib's: URLs that it rejects are shown and probed, too.
_CREDENTIALS = re.compile(r"^([\w+.-]+://)[^/?#]*@")
_HOST = re.compile(r"^[\w+.-]+://([^/?#]*)")
