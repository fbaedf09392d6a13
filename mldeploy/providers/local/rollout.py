"""How a version gets onto its port: proven beside the old one first, the old one kept until the new one answers there.

Three names say where a rollout stands, so that the next command can finish or undo what a crash interrupted:

    mldeploy-APP            serves, and has answered on the port
    mldeploy-APP-candidate  is examined on a port of its own; worthless once its rollout has ended
    mldeploy-APP-next       gets the port; it takes the first name over when it has answered there
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import GoldenRow
from mldeploy.image.errors import EngineError
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers, PortInUseError, StartError
from mldeploy.image.running.diagnose import refused_start
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.running.examine import Examination
from mldeploy.image.running.spec import ContainerSpec
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter
from mldeploy.providers.local.drift import answer_drift, fits
from mldeploy.providers.local.ports import check_port, taken
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.wanted import candidate, unproven

RESTORE_SECONDS = 5.0
RESTORE_EVERY = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rolled:
    """The container that serves now. gap_seconds: how long the port was silent; None if it did not change hands."""

    container: Container
    gap_seconds: float | None = None


@dataclass(frozen=True)
class Rollout:
    """One command's work on the container that serves an app."""

    containers: Containers
    project: Project
    settings: LocalSettings
    golden: GoldenRow | None
    monitor: Monitor

    def settle(self) -> Container | None:
        """Finish or undo what an interrupted command left, and return the container that serves, if there is one.

        Something answers on the port as soon as possible: a new version that got so far is examined and kept; if it
        fails, the old one is started again. Safe to repeat. Raises RefusedError if one of our names is somebody else's.
        """
        self._clear(self.containers.own(self.containers.candidate))
        current, following = (self.containers.own(name) for name in (self.containers.serving, self.containers.next))
        if following is None:
            return current
        if not (current and current.running):
            if following.running and self._passes(following):
                return self._promote(following, current, self.settings.restart)
            if current:
                self._start_first(current, following)
        # Its presence says that the old version may have to be started, so it goes only when that is done.
        self._clear(following)
        return self.containers.own(self.containers.serving)

    def run(self, spec: ContainerSpec, current: Container | None) -> Rolled:
        """Let a container of this spec serve; `current` is what `settle` returned.

        Raises PortTakenError before anything is stopped, VerdictError if the new version is not let in; the old one
        serves then, as it did before. EngineError and CancelledError may leave a rollout that `settle` finishes.
        """
        if current and current.state in ("restarting", "paused"):
            self.containers.stop(current)  # it answers nobody, and could take the port at any moment
        if current and current.running and fits(current, spec) and not answer_drift(current, self.project.app.health):
            return Rolled(self._with_restart(current, spec.restart))
        holds_port = current is not None and current.running and current.published[1] == spec.host_port
        check_port(self.containers.engine, spec.host, spec.host_port, mine=current.id if current and holds_port else "")
        if current and holds_port:
            return self._cut_over(current, spec)
        return Rolled(self._replace(current, spec))

    def _replace(self, current: Container | None, spec: ContainerSpec) -> Container:
        """Start a new container straight on a free port, and remove the old one, if any, once the new one answers."""
        following = self.containers.create(self.containers.next, unproven(spec))
        try:
            started = self._start(following)
            self._examine(started)
        except Exception:
            self._discard(following)
            raise
        return self._promote(started, current, spec.restart)

    def _cut_over(self, current: Container, spec: ContainerSpec) -> Rolled:
        """Examine a candidate beside the old container, then pass the port on and measure how long it is silent."""
        with self._candidate(spec, current):
            self.monitor.check()
            following = self.containers.create(self.containers.next, unproven(spec))
            try:
                self.monitor.progress(Progress("", "the old version finishes what it has accepted"))
                with GapMeter(current.url, self.project.app.health) as meter:
                    self.containers.stop(current)
                    started = self._start(following)
                    self._examine(started)
            except Exception as error:
                self._restore(current, following, error)
                raise
            return Rolled(self._promote(started, current, spec.restart), meter.seconds)

    @contextlib.contextmanager
    def _candidate(self, spec: ContainerSpec, current: Container) -> Iterator[None]:
        """A container of this spec has been found good beside `current`. It is there meanwhile, and gone afterwards."""
        made = self.containers.create(self.containers.candidate, candidate(spec))
        try:
            try:
                self._examine(self._start(made))
            except VerdictError:
                self.monitor.note(f"The old version answers as before at {current.url}.")
                raise
            yield
        finally:
            self._discard(made)

    def _promote(self, following: Container, current: Container | None, restart: str) -> Container:
        """Let a container that has answered on the port take the place of the old one."""
        if following.spec.restart != restart:
            self.containers.set_restart(following.id, restart)
        if current:
            self.containers.stop(current)
            self.containers.remove(current.id)
        self.containers.rename(following.id, self.containers.serving)
        return self.containers.present(following.id)

    def _restore(self, current: Container, following: str, error: Exception) -> None:
        """Let the old container answer again after `error`. Raises NotRestoredError if it cannot be brought to."""
        deadline = time.monotonic() + RESTORE_SECONDS
        while True:
            try:
                self.containers.kill(following)
                self.containers.start(current.id)
                break
            except EngineError as obstacle:
                if time.monotonic() > deadline:
                    raise self._not_restored(error, obstacle.what) from error
                # Not the monitor's wait: the user's wish to stop must not keep the port silent.
                time.sleep(RESTORE_EVERY)
        self._discard(following)
        while answer_drift(current, self.project.app.health):
            if time.monotonic() > deadline + self.project.check.start_timeout:
                raise self._not_restored(error, "it does not answer") from error
            time.sleep(RESTORE_EVERY)
        self.monitor.note("The old version answers again.")

    def _not_restored(self, error: Exception, obstacle: str) -> NotRestoredError:
        what = f"{str(error) or 'stopped at your request'}\nThe old version could not be started again: {obstacle}"
        todo = "`mldeploy deploy` tries that again before anything else."
        return NotRestoredError(self.containers.serving, what, todo)

    def _start_first(self, current: Container, following: Container) -> None:
        """Let the old version answer, if it can, before anything else is tried."""
        self.monitor.note("An interrupted deployment had stopped the old version. It is started again first.")
        self.containers.kill(following.id)
        with contextlib.suppress(EngineError):  # it may be broken: then the new version is all that there is
            self.containers.start(current.id)

    def _with_restart(self, container: Container, restart: str) -> Container:
        if container.spec.restart != restart:
            self.containers.set_restart(container.id, restart)
        return self.containers.present(container.id)

    def _start(self, container: str) -> Container:
        """Start a container that the engine may refuse to start. Raises PortTakenError, VerdictError, EngineError."""
        try:
            return self.containers.start(container)
        except PortInUseError as error:
            spec = self.containers.present(container).spec
            raise taken(self.containers.engine, spec.host, spec.host_port, mine=container) from error
        except StartError as error:
            raise refused_start(self.project, self.containers.present(container), error.what) from error

    def _examine(self, container: Container) -> None:
        Examination(self.containers, self.project, self.golden, container).run(self.monitor)

    def _passes(self, container: Container) -> bool:
        try:
            self._examine(container)
        except VerdictError as error:
            _log.info("what an interrupted deployment left is not kept: %s", error)
            return False
        return True

    def _clear(self, container: Container | None) -> None:
        if container:
            self.containers.remove(container.id)

    def _discard(self, container: str) -> None:
        """Remove a container that is of no use any more. If the engine refuses, the next command does it."""
        try:
            self.containers.remove(container)
        except EngineError as error:
            _log.warning("%s is left over for now: %s", container[:12], error)
