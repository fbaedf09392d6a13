"""The examination of a container: it must become healthy and answer the golden row, or there is a verdict."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Never

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import HEALTH_SECONDS, AnswerError, AppClient, GoldenRow, Silence, SilentError
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers
from mldeploy.image.running.diagnose import Evidence, verdict
from mldeploy.image.running.listeners import Sockets, sockets
from mldeploy.image.running.watch import Watch

ASK_EVERY = 0.1
ASK_AGAIN_EVERY = 1.0
LOOK_EVERY = 0.5
CALM_SECONDS = 3.0
CALM_CPU = 0.1
REFUSED_SECONDS = 2.0
LOG_LINES = 200
SETTLE_SECONDS = 0.3

_log = logging.getLogger(__name__)


@dataclass
class _Calm:
    """Since when a container has listened elsewhere without doing anything else.

    An app that loads a model may open another port first (its metrics, say). It is not given up while it computes or
    talks to another machine; once it only waits, it waits for ever.
    """

    since: float = 0.0
    cpu: int = 0
    seen: Sockets | None = None

    def lasts(self, now: float, cpu: int, seen: Sockets) -> bool:
        """Add an observation: `cpu` in nanoseconds since the container's start, `now` in seconds."""
        if seen.talking or self.seen != seen or cpu - self.cpu > CALM_CPU * (now - self.since) * 1e9:
            self.since, self.cpu, self.seen = now, cpu, seen
        return now - self.since >= CALM_SECONDS


@dataclass
class _Refusal:
    """Since when the app has answered its health path with one and the same bad status."""

    since: float = 0.0
    status: int = 0

    def lasts(self, now: float, status: int) -> bool:
        """Add an answer. 503 is what an app says that is still loading: that may go on until the deadline."""
        if status != self.status:
            self.since, self.status = now, status
        return status not in (0, 429, 503) and now - self.since >= REFUSED_SECONDS


class Examination:
    """One container that has just been started, and what is demanded of it."""

    def __init__(
        self, containers: Containers, project: Project, golden: GoldenRow | None, container: Container
    ) -> None:
        self._containers = containers
        self._project = project
        self._golden = golden
        self._container = container
        self._answer: AnswerError = SilentError(container.url + project.app.health, Silence.REFUSED)
        self._began = time.monotonic()
        self._calm = _Calm()
        self._refusal = _Refusal()

    def run(self, monitor: Monitor) -> None:
        """Return once the app is healthy and has answered the golden row. Blocks; one deadline for each of the two.

        Raises VerdictError as soon as it is certain that it never will, EngineError, CancelledError.
        """
        with Watch(self._containers.engine, self._container) as watch, AppClient(self._container.url) as app:
            self._await_health(watch, app, monitor)
            self._ask_golden(watch, app, monitor)
            if watch.out_of_memory:
                self._give_up(watch)

    def _await_health(self, watch: Watch, app: AppClient, monitor: Monitor) -> None:
        path, deadline = self._project.app.health, self._project.check.start_timeout
        ask_at = look_at = 0.0
        monitor.progress(Progress("", f"waiting for {self._container.url}{path}"))
        for waited in monitor.attempts(every=ASK_EVERY, within=deadline):
            if watch.died or watch.out_of_memory:
                self._give_up(watch)
            if waited >= ask_at:
                # A connection that is lost while the container's network is set up costs TCP a second: better ask anew.
                if self._is_healthy(app, min(max(waited, ASK_EVERY), HEALTH_SECONDS, deadline - waited)):
                    return
                ask_at = waited + ASK_AGAIN_EVERY if self._answer.status else 0.0  # we must not drown its log
            if waited >= look_at:
                look_at = waited + LOOK_EVERY
                self._look(watch, waited)
        self._give_up(watch)

    def _is_healthy(self, app: AppClient, within: float) -> bool:
        try:
            app.health(self._project.app.health, within=within)
        except AnswerError as error:
            self._answer = error
            return False
        return True

    def _ask_golden(self, watch: Watch, app: AppClient, monitor: Monitor) -> None:
        if self._golden is None:
            return
        monitor.progress(Progress("", f"asking the golden row at {self._golden.path}"))
        try:
            self._golden.ask(app, within=self._project.check.start_timeout)
        except AnswerError as error:
            self._answer = error
            self._give_up(watch)

    def _look(self, watch: Watch, waited: float) -> None:
        """Give up if nothing will change any more."""
        container = self._containers.present(self._container.id)
        if not container.running:
            self._give_up(watch)
        if isinstance(self._answer, SilentError):
            seen = sockets(self._containers, container)
            if seen and seen.only_elsewhere(self._project.app.port):
                if self._calm.lasts(waited, self._containers.usage(container.id).cpu, seen):
                    self._give_up(watch)
            else:
                self._calm = _Calm()
        if self._refusal.lasts(waited, self._answer.status):
            self._give_up(watch)

    def _give_up(self, watch: Watch) -> Never:
        if watch.out_of_memory and not watch.died:
            time.sleep(SETTLE_SECONDS)  # the first process may end of it, too; no event says that it will not
        container = self._containers.present(self._container.id)
        log = self._containers.log_tail(container.id, LOG_LINES)
        evidence = Evidence(
            container=container,
            out_of_memory=watch.out_of_memory,
            sockets=sockets(self._containers, container) if container.running else None,
            answer=self._answer,
            waited=time.monotonic() - self._began,
            log=log,
        )
        _log.debug("the log of %s:\n%s", container.name, "\n".join(log))
        raise verdict(self._project, evidence)
