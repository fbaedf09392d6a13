"""Roll out a version: test a candidate first, and keep the old container until the new one answers on the port.

Three names show the state of a rollout, so that the next command can finish or undo an interrupted one:

    mldeploy-APP            serves, and has answered on the port
    mldeploy-APP-candidate  is examined on a separate port; not needed after its rollout
    mldeploy-APP-next       gets the port; it is renamed to the first name once it has answered there
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mldeploy.app.client import GoldenRow
from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, ImageConfig, build_restricted_spec
from mldeploy.app.containers import Containers, ContainerStartError, PortInUseError
from mldeploy.app.diagnosis import build_start_verdict
from mldeploy.app.examination import Examination
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import App, Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import EngineError
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter
from mldeploy.providers.local.drift import answer_drift, answer_failure, matches_spec
from mldeploy.providers.local.ports import check_port, port_taken_error
from mldeploy.providers.local.settings import LocalSettings

RESTORE_SECONDS = 5.0
RESTORE_EVERY = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ContainerRolloutResult:
    """The serving container. gap_seconds: how long the port did not answer; None if it did not change owner."""

    container: Container
    gap_seconds: float | None = None


@dataclass(frozen=True)
class ContainerRollout:
    """Rolls out a container of one app."""

    containers: Containers
    project: Project
    settings: LocalSettings
    golden: GoldenRow | None
    monitor: Monitor

    def settle(self) -> Container | None:
        """Finish or undo an interrupted rollout, and return the serving container, if there is one.

        A new version that already runs is examined and kept; if it fails, the old one is started again. May be
        repeated. Raises RefusedError if mldeploy does not own a container with one of the names.
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
        # Its presence shows that the old version may have to be started, so it is removed only after that.
        self._clear(following)
        return self.containers.own(self.containers.serving)

    def run(self, spec: ContainerSpec, current: Container | None) -> ContainerRolloutResult:
        """Roll out a container with this spec. current: the result of `settle`.

        Raises PortTakenError before anything is stopped, VerdictError if the new version fails; then the old one keeps
        serving. EngineError and CancelledError may leave a rollout that `settle` finishes.
        """
        if current and current.state in ("restarting", "paused"):
            self.containers.stop(current)  # it does not answer, and could take the port at any moment
        if (
            current
            and current.running
            and matches_spec(current, spec)
            and not answer_drift(current, self.project.app.health)
        ):
            return ContainerRolloutResult(self._with_restart(current, spec.restart))
        holds_port = current is not None and current.running and current.published[1] == spec.host_port
        check_port(self.containers.engine, spec.host, spec.host_port, mine=current.id if current and holds_port else "")
        if current and holds_port:
            return self._cut_over(current, spec)
        return ContainerRolloutResult(self._replace(current, spec))

    def _replace(self, current: Container | None, spec: ContainerSpec) -> Container:
        """Start a new container on a free port, and remove the old one, if any, once the new one answers."""
        following = self.containers.create(self.containers.next, without_restart(spec))
        try:
            started = self._start(following)
            self._examine(started)
        except Exception:
            self._discard(following)
            raise
        return self._promote(started, current, spec.restart)

    def _cut_over(self, current: Container, spec: ContainerSpec) -> ContainerRolloutResult:
        """Examine a candidate, then pass the port on and measure how long it does not answer."""
        with self._candidate(spec, current):
            self.monitor.check()
            following = self.containers.create(self.containers.next, without_restart(spec))
            try:
                self.monitor.progress(Progress("", "the old version finishes its requests"))
                with GapMeter(current.url, self.project.app.health) as meter:
                    self.containers.stop(current)
                    started = self._start(following)
                    self._examine(started)
            except Exception as error:
                self._restore(current, following, error)
                raise
            return ContainerRolloutResult(self._promote(started, current, spec.restart), meter.seconds)

    @contextlib.contextmanager
    def _candidate(self, spec: ContainerSpec, current: Container) -> Iterator[None]:
        """Examine a candidate container with this spec. It exists while the context is open."""
        made = self.containers.create(self.containers.candidate, candidate_spec(spec))
        try:
            try:
                self._examine(self._start(made))
            except VerdictError:
                self._note_old_version(current)
                raise
            yield
        finally:
            self._discard(made)

    def _note_old_version(self, current: Container) -> None:
        """Report whether the old version, which was not changed, answers now."""
        if failure := answer_failure(current, self.project.app.health):
            text = f"The old version was not changed, but it does not answer either, at {current.url}: {failure}"
            self.monitor.note(text, warning=True)
        else:
            self.monitor.note(f"The old version still answers at {current.url}.")

    def _promote(self, following: Container, current: Container | None, restart: str) -> Container:
        """Replace the old container by one that has answered on the port."""
        if following.spec.restart != restart:
            self.containers.set_restart(following.id, restart)
        if current:
            self.containers.stop(current)
            self.containers.remove(current.id)
        self.containers.rename(following.id, self.containers.serving)
        return self.containers.present(following.id)

    def _restore(self, current: Container, following: str, error: Exception) -> None:
        """Restore the old container after `error`. Raises NotRestoredError if it does not answer."""
        deadline = time.monotonic() + RESTORE_SECONDS
        while True:
            try:
                self.containers.kill(following)
                self.containers.start(current.id)
                break
            except EngineError as cause:
                if time.monotonic() > deadline:
                    raise self._not_restored(error, cause.what) from error
                # Not the monitor's wait: a cancellation must not prevent the restore.
                time.sleep(RESTORE_EVERY)
        self._discard(following)
        while answer_drift(current, self.project.app.health):
            if time.monotonic() > deadline + self.project.check.start_timeout:
                raise self._not_restored(error, "it was started, but does not answer") from error
            time.sleep(RESTORE_EVERY)
        self.monitor.note("The old version answers again.")

    def _not_restored(self, error: Exception, cause: str) -> NotRestoredError:
        what = f"{str(error) or 'cancelled'}\nThe old version could not be restored: {cause}"
        todo = "`mldeploy deploy` tries again first."
        return NotRestoredError(self.containers.serving, what, todo)

    def _start_first(self, current: Container, following: Container) -> None:
        """Start the old version, if possible, before anything else."""
        self.monitor.note("An interrupted deployment had stopped the old version. It is started again first.")
        self.containers.kill(following.id)
        with contextlib.suppress(EngineError):  # it may be broken: then only the new version is left
            self.containers.start(current.id)

    def _with_restart(self, container: Container, restart: str) -> Container:
        if container.spec.restart != restart:
            self.containers.set_restart(container.id, restart)
        return self.containers.present(container.id)

    def _start(self, container: str) -> Container:
        """Start a container. Raises PortTakenError, VerdictError, EngineError."""
        try:
            return self.containers.start(container)
        except PortInUseError as error:
            spec = self.containers.present(container).spec
            raise port_taken_error(self.containers.engine, spec.host, spec.host_port, mine=container) from error
        except ContainerStartError as error:
            raise build_start_verdict(self.project, self.containers.present(container), error.what) from error

    def _examine(self, container: Container) -> None:
        Examination(self.containers, self.project, self.golden, container).run(self.monitor)

    def _passes(self, container: Container) -> bool:
        try:
            self._examine(container)
        except VerdictError as error:
            _log.info("the container of an interrupted deployment is not kept: %s", error)
            return False
        return True

    def _clear(self, container: Container | None) -> None:
        if container:
            self.containers.remove(container.id)

    def _discard(self, container: str) -> None:
        """Remove a container that is no longer needed. If that fails, the next command removes it."""
        try:
            self.containers.remove(container)
        except EngineError as error:
            _log.warning("%s could not be removed yet: %s", container[:12], error)


def serving_spec(app: App, settings: LocalSettings, image: ImageConfig, host_port: int) -> ContainerSpec:
    """Return the spec of the serving container."""
    return replace(
        build_restricted_spec(app, image),
        host=settings.host,
        host_port=host_port,
        pids_limit=settings.pids_limit,
        restart=settings.restart,
        stop_timeout=settings.stop_timeout,
    )


def candidate_spec(spec: ContainerSpec) -> ContainerSpec:
    """Return the spec on a random port of the loopback interface."""
    return replace(without_restart(spec), host="127.0.0.1", host_port=0)


def without_restart(spec: ContainerSpec) -> ContainerSpec:
    """Return the spec without restarts: a failure must lead to a verdict, not to another attempt."""
    return replace(spec, restart="no")
