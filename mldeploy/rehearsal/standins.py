"""A stand-in for a cloud: how it is started, stopped and reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mldeploy.config.endpoints import Endpoints
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.monitor import Cancel
from mldeploy.rehearsal import background
from mldeploy.rehearsal.record import MissingPackageError, RehearsalError, RehearsalRecord

_WATCH_SECONDS = 0.5


class NoStandInError(MldeployError):
    """There is no simulator for this target, or of this name."""

    code = ExitCode.USAGE


class SimulatorNotInstalledError(MldeployError):
    """A simulator's packages are not installed."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class StandIn:
    """A local simulator of a platform, which the targets' declarations name.

    name: for `mldeploy rehearse`. cloud: the platform's display name. program: the Python module of its process, which
    calls `mldeploy.rehearsal.process.run_stand_in`. needed: an optional package that it imports, "" for none.
    requirement: what to install for it, as for pip.
    """

    name: str
    cloud: str
    program: str
    needed: str = ""
    requirement: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether its packages are installed."""
        return not self.needed or find_spec(self.needed) is not None

    def folder(self, state: Path) -> Path:
        """The folder for its files, next to the apps' folders. App names have no dot."""
        return state / f"rehearsal.{self.name}"

    def up(self, state: Path) -> RehearsalRecord:
        """Start it if it does not run. May be repeated. Raises SimulatorNotInstalledError, or RehearsalError."""
        if not self.is_installed:
            raise self._not_installed(self.needed)
        try:
            return background.ensure(self.folder(state), self.program)
        except MissingPackageError as error:
            raise self._not_installed(error.package) from error

    def running_on(self, state: Path) -> RunningStandIn:
        """Start it as `up` does, and return what a deployment to it needs."""
        record = self.up(state)
        return RunningStandIn(self.cloud, record, self.folder(state) / "journals")

    def _not_installed(self, package: str) -> SimulatorNotInstalledError:
        what = f"the packages for the {self.cloud} simulator are not installed ({package} is missing)"
        todo = f"Run `pip install '{self.requirement}'`." if self.requirement else f"Install the package of {package}."
        return SimulatorNotInstalledError("rehearse", what, todo)

    def down(self, state: Path) -> bool:
        """Stop it and remove all its files and containers. Returns whether there was one. May be repeated."""
        return background.stop(self.folder(state))

    def running(self, state: Path) -> RehearsalRecord | None:
        """Return its record if it runs."""
        record = RehearsalRecord.read(self.folder(state))
        return record if record is not None and record.is_running else None


@dataclass(frozen=True)
class RunningStandIn:
    """A running simulator. journals: folder for the journals of rehearsed deployments, deleted with it."""

    cloud: str
    record: RehearsalRecord
    journals: Path

    @property
    def url(self) -> str:
        return self.record.url

    @property
    def endpoints(self) -> Endpoints:
        return self.record.endpoints

    @contextmanager
    def watched(self, cancel: Cancel) -> Iterator[None]:
        """Stop what runs in the block if the simulator ends: the retries of the clouds' SDKs would take minutes.

        An error of the block then becomes a RehearsalError.
        """
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_WATCH_SECONDS):
                if not self.record.is_running:
                    cancel.request()
                    return

        thread = threading.Thread(target=watch, name=f"watch {self.cloud}")
        thread.start()
        try:
            yield
        except Exception as error:
            if not self.record.is_running:
                what = f"the {self.cloud} simulator ended while the command used it"
                todo = "Run the command again: it starts another one."
                raise RehearsalError(self.url, what, todo) from error
            raise
        finally:
            ended.set()
            thread.join()


# Those of mldeploy itself. They are declared here, where nothing of the extra `rehearsal` is imported.
AWS, AZURE, DOCKERHUB, GCP, KUBERNETES = (
    StandIn(name, cloud, f"mldeploy.rehearsal.{name}.server", needed, "mldeploy[rehearsal]")
    for name, cloud, needed in (
        ("aws", "AWS", "moto"),
        ("azure", "Azure", "trustme"),
        ("dockerhub", "Docker Hub", "trustme"),
        ("gcp", "Google Cloud", "trustme"),
        ("kubernetes", "Kubernetes", "kubernetes_validate"),
    )
)
