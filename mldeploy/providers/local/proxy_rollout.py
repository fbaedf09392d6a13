"""Bring the proxy to an app's port, and let it pass requests on to a version of the app."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, ImageConfig
from mldeploy.app.containers import Containers, ContainerStartError, PortInUseError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import EngineError
from mldeploy.image.image_info import find_image
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter
from mldeploy.providers.local.drift import answer_failure
from mldeploy.providers.local.ports import check_port, choose_free_port, port_taken_error
from mldeploy.providers.local.proxy import (
    ProxyAccess,
    ProxyContainers,
    is_current_proxy,
    proxy_spec,
    published_spec,
    publishes_port,
)
from mldeploy.providers.local.settings import LocalSettings

RESTORE_SECONDS = 5.0
RESTORE_EVERY = 0.2
DRAIN_ROUND = 5.0
"""Seconds of one request to the proxy: the engine's client does not wait for an answer for ever."""


@dataclass(frozen=True)
class OpenPort:
    """The proxy that holds the port. gap_seconds: how long nothing answered there, if something had answered before."""

    proxy: Container
    gap_seconds: float | None = None


@dataclass(frozen=True)
class ProxyRollout:
    """Rolls out the proxy of one app.

    spec: the desired one. images: where it runs from, the first one that has Python. holder: the container of ours that
    has the port until now: a proxy, or a version of the app that publishes it itself, as earlier mldeploy did.
    """

    proxies: ProxyContainers
    project: Project
    spec: ContainerSpec
    images: Sequence[str]
    holder: Container | None
    monitor: Monitor

    @property
    def is_current(self) -> bool:
        """Whether the proxy runs as desired, except for its restart policy."""
        holder = self.holder
        return bool(holder and holder.running and is_current_proxy(holder, self.spec))

    @property
    def _needs_gap(self) -> bool:
        """Whether the port must be taken from its holder: the engine gives it to nobody else before."""
        holder = self.holder
        is_same = holder is not None and holder.running and holder.published[1] == self.spec.host_port
        return is_same and not self.is_current

    def spec_of(self, container: Container, desired: ContainerSpec) -> ContainerSpec:
        """Return what a container is compared with: one that publishes the port itself may go on with that."""
        return published_spec(desired, self.spec) if publishes_port(container) else desired

    def check_port(self) -> None:
        """Raises PortTakenError with its owner and the next free port; AddressError; EngineError."""
        if not self.is_current:
            mine = self.holder.id if self.holder and self._needs_gap else ""
            check_port(self.proxies.containers.engine, self.spec.host, self.spec.host_port, mine=mine)

    def prepare(self) -> str | None:
        """Start the proxy on its port, if that is free; return its id. Until `open` it answers 502.

        None if there is nothing to prepare. Raises PortTakenError, EngineError.
        """
        if self.is_current or self._needs_gap:
            return None
        if self.holder and not self.holder.running:
            self.proxies.remove(self.holder)
        return self._start(None)

    def discard(self, prepared: str | None, *, with_network: bool) -> None:
        """Remove a proxy that was prepared for a version that failed. What is left, the next command removes."""
        with contextlib.suppress(EngineError):
            if prepared:
                self.proxies.containers.remove(prepared)
            if with_network:
                self.proxies.network.remove()

    def open(self, prepared: str | None, backend: Container) -> OpenPort:
        """Let the port answer from a container, and remove what had it before, if that was another proxy.

        Raises PortTakenError, EngineError; then the holder still has the port, or has it again.
        """
        if self.is_current and self.holder:
            self.proxies.route(self.holder.id, backend)
            if self.holder.spec.restart != self.spec.restart:
                self.proxies.containers.set_restart(self.holder.id, self.spec.restart)
            return OpenPort(self.proxies.containers.present(self.holder.id), 0.0)
        if self._needs_gap and self.holder:
            return self._take_over(self.holder, backend)
        made = prepared or self._start(backend)
        self.proxies.route(made, backend)
        return OpenPort(self._promote(made))

    def close_backend(self, proxy: Container, old: Container) -> None:
        """Let a container that gets no new requests finish those that it has, within its stop timeout; remove it."""
        self.monitor.progress(Progress("", "the old version finishes its requests"))
        deadline = time.monotonic() + old.spec.stop_timeout
        while (left := deadline - time.monotonic()) > 0:
            if self.proxies.drain(proxy.id, old, min(left, DRAIN_ROUND)):
                break
        seconds = max(0, round(deadline - time.monotonic()))
        self.proxies.containers.stop(replace(old, spec=replace(old.spec, stop_timeout=seconds)))
        self.proxies.containers.remove(old.id)

    def _take_over(self, holder: Container, backend: Container) -> OpenPort:
        """Stop the holder and start the proxy on its port. The holder is started again if that fails."""
        with GapMeter(holder.url, self.project.app.health) as meter:
            self.monitor.progress(Progress("", "the old version finishes its requests"))
            self.proxies.containers.stop(holder)
            try:
                made = self._start(backend)
                self.proxies.route(made, backend)
            except Exception as error:
                self._restore(holder, error)
                raise
        return OpenPort(self._promote(made), meter.seconds)

    def _restore(self, holder: Container, error: Exception) -> None:
        """Give the port back to its holder. Raises NotRestoredError if it does not answer there."""
        deadline = time.monotonic() + RESTORE_SECONDS
        while True:
            try:
                self.proxies.remove(self.proxies.containers.own(self.proxies.next))
                self.proxies.containers.start(holder.id)
                break
            except EngineError as cause:
                if time.monotonic() > deadline:
                    raise _not_restored_error(holder, error, cause.what) from error
                # Not the monitor's wait: a cancellation must not prevent the restore.
                time.sleep(RESTORE_EVERY)
        while answer_failure(holder.url, self.project.app.health):
            if time.monotonic() > deadline + self.project.check.start_timeout:
                raise _not_restored_error(holder, error, "it was started, but does not answer") from error
            time.sleep(RESTORE_EVERY)
        self.monitor.note("The old version answers again.")

    def _start(self, backend: Container | None) -> str:
        """Create and start a proxy from the first image that has Python. Raises PortTakenError, EngineError."""
        for image in self.images:
            if found := self._image(image):
                made = self.proxies.create(self.proxies.next, replace(self.spec, image=image, image_id=found), backend)
                try:
                    self.proxies.containers.start(made)
                    return made
                except PortInUseError as error:
                    self.proxies.containers.remove(made)
                    engine, spec = self.proxies.containers.engine, self.spec
                    raise port_taken_error(engine, spec.host, spec.host_port, mine=made) from error
                except ContainerStartError:
                    self.proxies.containers.remove(made)
        what = f"the proxy that holds the app's port needs Python 3.9 or later, which {' and '.join(self.images)} lack"
        raise EngineError(self.proxies.name, what, f"Run `docker pull {self.images[-1]}`.")

    def _image(self, reference: str) -> str:
        """Return an image's id. The base image of a project with its own Dockerfile is pulled when it is needed."""
        engine = self.proxies.containers.engine
        if find_image(engine, reference) is None and self.project.build.dockerfile:
            from mldeploy.image.pull import pull_image  # noqa: PLC0415 - hardly ever needed

            advice = "set `base_image` in [build] to an image with Python"
            pull_image(engine, reference, self.project.build.platform, self.monitor, advice)
        image = find_image(engine, reference)
        return image.id if image else ""

    def _promote(self, made: str) -> Container:
        """Give a proxy that holds the port its name."""
        containers = self.proxies.containers
        if (old := self.proxies.current()) and old.id != made:
            self.proxies.remove(old)
        containers.rename(made, self.proxies.name)
        return containers.present(made)


def _not_restored_error(holder: Container, error: Exception, cause: str) -> NotRestoredError:
    what = f"{str(error) or 'cancelled'}\nThe old version could not be restored: {cause}"
    return NotRestoredError(holder.name, what, "`mldeploy deploy` tries again first.")


def open_rollout(
    containers: Containers,
    project: Project,
    settings: LocalSettings,
    image: str,
    current: Container | None,
    monitor: Monitor,
) -> ProxyRollout:
    """Return the rollout of an app's proxy. image, current: the app's.

    A project with a Dockerfile of its own may have a base image without Python: then the app's own image is tried.
    """
    proxies = ProxyContainers.of(containers.engine, project.app.name, ProxyAccess.of(project))
    holder = proxies.current()
    if current and publishes_port(current) and not (holder and holder.running):
        holder = current if current.running else holder
    port = desired_port(project, settings, holder or current) or choose_free_port(settings.host)
    base = project.build.base_image
    spec = containers.limits().apply_to(proxy_spec(project, settings, ImageConfig(base, "", False), port))
    return ProxyRollout(proxies, project, spec, (image, base) if project.build.dockerfile else (base,), holder, monitor)


def desired_port(project: Project, settings: LocalSettings, holder: Container | None) -> int:
    """Return the host's port; with the setting 0, the current one, or 0."""
    port = project.app.port if settings.port is None else settings.port
    return port or (holder.spec.host_port if holder else 0)


def settle_proxies(proxies: ProxyContainers) -> None:
    """Finish or undo an interrupted rollout of the proxy. Raises RefusedError, EngineError."""
    following = proxies.containers.own(proxies.next)
    if following is None:
        return
    current = proxies.current()
    if current is None and following.running:
        proxies.containers.rename(following.id, proxies.name)
    else:
        proxies.containers.remove(following.id)
        if current and not current.running:
            with contextlib.suppress(EngineError):  # what holds the port is replaced by the deployment
                proxies.containers.start(current.id)
