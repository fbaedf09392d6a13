"""Roll out a version: examine it beside the old one, then let the proxy send it the requests.

The names show the state of a rollout, so that the next command can finish or undo an interrupted one:

    mldeploy-APP             gets the requests
    mldeploy-APP-next        is examined on a port of its own, then gets the requests; it is renamed to the first name
    mldeploy-APP-canary      has passed its examination as mldeploy-APP-next; gets its share of the requests, or none
    mldeploy-APP-proxy       holds the app's port
    mldeploy-APP-proxy-next  is to hold the port; it is renamed to the one before
    mldeploy-APP-candidate   left by an earlier version of mldeploy
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mldeploy.app.client import GoldenRow
from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, ImageConfig, build_restricted_spec
from mldeploy.app.containers import Containers, ContainerStartError
from mldeploy.app.diagnosis import build_start_verdict
from mldeploy.app.examination import Examination
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import App, Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import EngineError
from mldeploy.providers.local.drift import answer_failure, matches_spec
from mldeploy.providers.local.history import PastRelease, release_body, releases_after
from mldeploy.providers.local.proxy import ProxyAccess, ProxyContainers, publishes_port
from mldeploy.providers.local.proxy_rollout import OpenPort, ProxyRollout, settle_proxies
from mldeploy.providers.local.settings import LocalSettings

LOCK_SUBJECT = "containers"
"""The lock of the engine that a change of the app's containers needs."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ContainerRolloutResult:
    """The serving container and its URL. gap_seconds: how long the port was silent; None if nothing was replaced."""

    container: Container
    url: str
    gap_seconds: float | None = None


@dataclass(frozen=True)
class ContainerRollout:
    """Rolls out a container of one app."""

    containers: Containers
    project: Project
    golden: GoldenRow | None
    monitor: Monitor

    @property
    def _proxies(self) -> ProxyContainers:
        return ProxyContainers.of(self.containers.engine, self.containers.app, ProxyAccess.of(self.project))

    def settle(self, restart: str) -> Container | None:
        """Finish or undo an interrupted rollout, and return the serving container, if there is one.

        A new version is kept only if the old one does not run; if it fails, the old one is started again. May be
        repeated. Raises RefusedError if mldeploy does not own a container with one of the names.
        """
        settle_proxies(self._proxies)
        self._clear(self.containers.own(self.containers.candidate))
        current, following = (self.containers.own(name) for name in (self.containers.serving, self.containers.next))
        if following is None:
            return current
        if not (current and current.running):
            if following.running and self._passes(following):
                return self._promote(following, current, restart)
            if current:
                self._start_first(current, following)
        self._route_back(current)
        self.containers.stop(following)
        # Its presence shows that the old version may have to be started, so it is removed only after that.
        self._clear(following)
        return self.containers.own(self.containers.serving)

    def run(self, spec: ContainerSpec, port: ProxyRollout, current: Container | None) -> ContainerRolloutResult:
        """Roll out a container with this spec behind the port. current: the result of `settle`.

        Raises PortTakenError before anything is stopped, VerdictError if the new version fails; then the old one keeps
        serving. EngineError and CancelledError may leave a rollout that `settle` finishes.
        """
        if current and current.state in ("restarting", "paused"):
            self.containers.stop(current)  # it does not answer, and could answer at any moment
        port.check_port()
        is_current = current is not None and current.running and matches_spec(current, port.spec_of(current, spec))
        if current and is_current and self._answers(current):
            if publishes_port(current):  # a deployment that changes nothing makes no gap
                return ContainerRolloutResult(self._with_restart(current, spec.restart), current.url)
            port.proxies.network.ensure()
            port.proxies.network.attach(current.id)
            opened = port.open(port.prepare(), current)
            return ContainerRolloutResult(self._with_restart(current, spec.restart), opened.proxy.url)
        port.proxies.network.ensure()
        started, opened = self._replace(spec, port, current)
        gap = opened.gap_seconds if current and current.running else None
        if current and current.running and not publishes_port(current):
            port.close_backend(opened.proxy, current)
            current = None
        return ContainerRolloutResult(self._promote(started, current, spec.restart), opened.proxy.url, gap)

    def _replace(
        self, spec: ContainerSpec, port: ProxyRollout, current: Container | None
    ) -> tuple[Container, OpenPort]:
        """Start a new container, examine it while the proxy starts, and send it the requests."""
        history = releases_after(current, spec)
        following = self._create(spec, port.proxies, history)
        prepared: str | None = None
        try:
            started = self._start(following)
            prepared = port.prepare()
            self._examine(started)
            started = self._with_restart(started, spec.restart)
            self.monitor.progress(Progress("", "switching to the new version"))
            self.monitor.check()
        except BaseException as error:
            self._discard(following)
            port.discard(prepared, with_network=current is None)
            if current and current.running and isinstance(error, VerdictError):
                self._note_old_version(current, port.holder)
            raise
        # From here on the new version may get requests: after a failure `settle` decides.
        return started, port.open(prepared, started)

    def place(self, spec: ContainerSpec, current: Container) -> Container:
        """Start a version beside the serving one, examine it and name it the canary. It gets no requests.

        Raises VerdictError if it fails, EngineError, CancelledError. A crash leaves what `settle` removes.
        """
        self._proxies.network.ensure()
        following = self._create(spec, self._proxies, releases_after(current, spec))
        try:
            self._examine(self._start(following))
            self._with_restart(self.containers.present(following), spec.restart)
            self.monitor.check()
        except BaseException:
            self._discard(following)
            raise
        self.containers.rename(following, self.containers.canary)
        return self.containers.present(following)

    def _create(self, spec: ContainerSpec, proxies: ProxyContainers, history: Sequence[PastRelease]) -> str:
        body = release_body(without_restart(spec), self.containers.mark, history)
        made = self.containers.create(self.containers.next, without_restart(spec), body)
        proxies.network.attach(made)
        return made

    def _answers(self, current: Container) -> bool:
        return not answer_failure(current.url, self.project.app.health)

    def _note_old_version(self, current: Container, holder: Container | None) -> None:
        """Report whether the old version, which was not changed, answers now."""
        url = (holder or current).url
        if failure := answer_failure(url, self.project.app.health):
            text = f"The old version was not changed, but it does not answer either, at {url}: {failure}"
            self.monitor.note(text, warning=True)
        else:
            self.monitor.note(f"The old version still answers at {url}.")

    def _promote(self, following: Container, current: Container | None, restart: str) -> Container:
        """Replace the old container by one that has passed its examination."""
        if following.spec.restart != restart:
            self.containers.set_restart(following.id, restart)
        if current:
            self.containers.stop(current)
            self.containers.remove(current.id)
        self.containers.rename(following.id, self.containers.serving)
        return self.containers.present(following.id)

    def _route_back(self, current: Container | None) -> None:
        """Send the requests to the old version again: an interrupted rollout may have sent them to the new one."""
        proxy = self._proxies.current()
        if current and proxy and proxy.running and not publishes_port(current):
            self._proxies.route(proxy.id, current, check=False)

    def _start_first(self, current: Container, following: Container) -> None:
        """Start the old version, if possible, before anything else."""
        self.monitor.note("An interrupted deployment had stopped the old version. It is started again first.")
        self.containers.kill(following.id)
        if publishes_port(current):
            self._proxies.remove(self._proxies.current())
        with contextlib.suppress(EngineError):  # it may be broken: then only the new version is left
            self.containers.start(current.id)

    def _with_restart(self, container: Container, restart: str) -> Container:
        if container.spec.restart != restart:
            self.containers.set_restart(container.id, restart)
        return self.containers.present(container.id)

    def _start(self, container: str) -> Container:
        """Start a container. Raises VerdictError, EngineError."""
        try:
            return self.containers.start(container)
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


def serving_spec(app: App, settings: LocalSettings, image: ImageConfig) -> ContainerSpec:
    """Return the spec of the serving container, which the proxy reaches on the app's network."""
    return replace(
        build_restricted_spec(app, image),
        pids_limit=settings.pids_limit,
        restart=settings.restart,
        stop_timeout=settings.stop_timeout,
    )


def without_restart(spec: ContainerSpec) -> ContainerSpec:
    """Return the spec without restarts: a failure must lead to a verdict, not to another attempt."""
    return replace(spec, restart="no")
