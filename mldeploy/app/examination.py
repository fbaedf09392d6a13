"""The examination of a container: it must become healthy and answer the golden row."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Never

from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient, GoldenRow, NoAnswer, NoAnswerError
from mldeploy.app.container import Container
from mldeploy.app.container_events import ContainerEvents
from mldeploy.app.containers import Containers
from mldeploy.app.diagnosis import ContainerEvidence, build_container_verdict
from mldeploy.app.listeners import Sockets, list_sockets
from mldeploy.app.log_causes import diagnose_log
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor

REQUEST_EVERY = 0.1
REPEAT_EVERY = 1.0
LOOK_EVERY = 0.5
CALM_SECONDS = 3.0
CALM_CPU = 0.1
REFUSED_SECONDS = 2.0
LOG_LINES = 200
SETTLE_SECONDS = 5.0
"""How long the engine may take to see that a container has ended with the process that was killed in it."""
LOG_SECONDS = 2.0
"""How long the engine may take to write what a running app has just logged."""
TELLING_SECONDS = 1.0
"""A request with less time than this, at the end of the start limit, proves nothing by being late."""

_log = logging.getLogger(__name__)


@dataclass
class _Calm:
    """How long a container has listened on another port while idle.

    An app that loads a model may open another port first (such as its metrics). It fails only when it neither computes
    nor communicates. On a busy machine an app that computes gets little CPU time, so a thread that is ready to run
    counts as well.
    """

    since: float = 0.0
    cpu: int = 0
    seen: Sockets | None = None

    def lasts(self, now: float, cpu: int, seen: Sockets, *, computing: bool) -> bool:
        """Add an observation: `cpu` in nanoseconds since the container's start, `now` in seconds."""
        if computing or seen.talking or self.seen != seen or cpu - self.cpu > CALM_CPU * (now - self.since) * 1e9:
            self.since, self.cpu, self.seen = now, cpu, seen
        return now - self.since >= CALM_SECONDS


@dataclass
class _Refusal:
    """How long the health path has answered with the same error status."""

    since: float = 0.0
    status: int = 0

    def lasts(self, now: float, status: int) -> bool:
        """Add a status. 503 means that the app is still loading, which may last until the deadline."""
        if status != self.status:
            self.since, self.status = now, status
        return status not in (0, 429, 503) and now - self.since >= REFUSED_SECONDS


class Examination:
    """The examination of one container that has just been started.

    settle_seconds: how long to wait for the container's end when one of its processes was killed for its memory.
    """

    def __init__(
        self,
        containers: Containers,
        project: Project,
        golden: GoldenRow | None,
        container: Container,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._containers = containers
        self._project = project
        self._golden = golden
        self._container = container
        self._settle_seconds = settle_seconds
        self._answer: AnswerError = NoAnswerError(container.url + project.app.health, NoAnswer.REFUSED)
        self._began = time.monotonic()
        self._calm = _Calm()
        self._refusal = _Refusal()

    def run(self, monitor: Monitor) -> None:
        """Return once the app is healthy and has answered the golden row. Each has its own deadline.

        Raises VerdictError as soon as failure is certain, EngineError, CancelledError.
        """
        with (
            ContainerEvents(self._containers.engine, self._container) as watch,
            AppClient(self._container.url, monitor=monitor) as app,
        ):
            self._await_health(watch, app, monitor)
            self._check_golden(watch, app, monitor)
            if watch.out_of_memory:
                self._give_up(watch)

    def _await_health(self, watch: ContainerEvents, app: AppClient, monitor: Monitor) -> None:
        path, deadline = self._project.app.health, self._project.check.start_timeout
        request_at = look_at = 0.0
        monitor.progress(Progress("", f"waiting for {self._container.url}{path}"))
        for waited in monitor.attempts(every=REQUEST_EVERY, within=deadline):
            if watch.died or watch.out_of_memory:
                self._give_up(watch)
            if waited >= request_at:
                # A connection lost during network setup costs TCP a second: a new request is faster.
                if self._is_healthy(app, min(max(waited, REQUEST_EVERY), HEALTH_SECONDS, deadline - waited)):
                    return
                request_at = waited + REPEAT_EVERY if self._answer.status else 0.0  # to keep the log readable
            if waited >= look_at:
                look_at = waited + LOOK_EVERY
                self._inspect(watch, waited)
        self._give_up(watch)

    def _is_healthy(self, app: AppClient, within: float) -> bool:
        try:
            app.health(self._project.app.health, within=within)
        except AnswerError as error:
            is_late = isinstance(error, NoAnswerError) and error.silence is NoAnswer.LATE
            if not (is_late and within < TELLING_SECONDS and self._is_known):
                self._answer = error
            return False
        return True

    @property
    def _is_known(self) -> bool:
        """Whether the app's way to fail is known already: the last request may be cut off by the time limit alone."""
        return not (isinstance(self._answer, NoAnswerError) and self._answer.silence is NoAnswer.REFUSED)

    def _check_golden(self, watch: ContainerEvents, app: AppClient, monitor: Monitor) -> None:
        if self._golden is None:
            return
        monitor.progress(Progress("", f"sending the golden row to {self._golden.path}"))
        try:
            self._golden.check(app, within=self._project.check.start_timeout)
        except AnswerError as error:
            self._answer = error
            self._give_up(watch)

    def _inspect(self, watch: ContainerEvents, waited: float) -> None:
        """Give up if failure is certain."""
        container = self._containers.present(self._container.id)
        if not container.running:
            self._give_up(watch)
        if isinstance(self._answer, NoAnswerError):
            seen = list_sockets(self._containers, container)
            if seen and seen.only_elsewhere(self._project.app.port):
                cpu, computing = self._containers.usage(container.id).cpu, self._containers.computes(container.id)
                if self._calm.lasts(waited, cpu, seen, computing=computing):
                    self._give_up(watch)
            else:
                self._calm = _Calm()
        if self._refusal.lasts(waited, self._answer.status):
            self._give_up(watch)

    def _give_up(self, watch: ContainerEvents) -> Never:
        if watch.out_of_memory:
            watch.await_death(self._settle_seconds)  # the killed process may be the first one
        container = self._containers.present(self._container.id)
        log = self._read_log(container)
        evidence = ContainerEvidence(
            container=container,
            out_of_memory=watch.out_of_memory,
            sockets=list_sockets(self._containers, container) if container.running else None,
            answer=self._answer,
            waited=time.monotonic() - self._began,
            log=log,
        )
        _log.debug("the log of %s:\n%s", container.name, "\n".join(log))
        raise build_container_verdict(self._project, evidence)

    def _read_log(self, container: Container) -> tuple[str, ...]:
        """Return the end of the log. The engine may still be writing why a running app failed to answer."""
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            log = self._containers.log_tail(container.id, LOG_LINES)
            is_whole = not (container.running and self._has_failed) or diagnose_log(
                log, self._project.build.requirements
            )
            if is_whole or time.monotonic() > deadline:
                return log
            time.sleep(REQUEST_EVERY)

    @property
    def _has_failed(self) -> bool:
        """Whether the app failed at the last request, which is something that it may have logged."""
        answer = self._answer
        is_cut = isinstance(answer, NoAnswerError) and answer.silence is NoAnswer.CUT
        return is_cut or answer.status >= 500
