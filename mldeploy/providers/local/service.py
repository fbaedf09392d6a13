"""Operations on a deployed app on this machine."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mldeploy.app.container import Container
from mldeploy.app.container_events import close_stream
from mldeploy.app.containers import Containers
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.errors import engine_errors
from mldeploy.image.image_info import find_image
from mldeploy.image.labels import LOCAL
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.capabilities import Streams
from mldeploy.providers.errors import AbsentError, without_scale
from mldeploy.providers.local.drift import answer_drift
from mldeploy.providers.local.execution import execute_command
from mldeploy.providers.local.history import PastRelease, list_releases
from mldeploy.providers.local.proxy import ProxyContainers, public_url, publishes_port
from mldeploy.providers.local.proxy_rollout import open_rollout
from mldeploy.providers.local.rollout import LOCK_SUBJECT, ContainerRollout
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.traffic import canary_release, refuse_canary

POLL_SECONDS = 0.2
HAND_OVER_SECONDS = 60.0


@dataclass(frozen=True)
class LocalService:
    """Operates the containers of one app."""

    engine: Engine
    project: Project
    settings: LocalSettings

    @cached_property
    def containers(self) -> Containers:
        return Containers(self.engine, self.project.app.name)

    @cached_property
    def proxies(self) -> ProxyContainers:
        return ProxyContainers.of(self.engine, self.project.app.name)

    def instances(self) -> tuple[Instance, ...]:
        """`mldeploy.providers.base.Service`. The proxy is not an instance of the app."""
        proxy = self.proxies.current()
        return tuple(self._instance(each, proxy) for each in self.containers.all())

    def url(self) -> str | None:
        serving = next((each for each in self.containers.all() if each.running and self._has_port(each)), None)
        return self._url(serving, self.proxies.current()) or None if serving else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Yield log lines; with `follow`, also the next version's. Raises AbsentError without a container."""
        app_containers = [each for each in self.containers.all() if self._has_port(each)]
        if not app_containers:
            raise self._absent_error()
        container: Container | None = app_containers[0]
        while container:
            yield from self._lines(container, follow, tail)
            container, tail = (self._successor() if follow else None), 0

    def stop(self) -> bool:
        """`mldeploy.providers.base.Service`. First the proxy, which finishes what it has accepted."""
        existing = (*self.proxies.containers.all(), *self.containers.all())
        for each in existing:
            self.containers.stop(each)
        return any(each.running for each in existing)

    def releases(self) -> tuple[Release, ...]:
        """Return the releases whose images the engine still has."""
        current = next(filter(self._has_port, self.containers.all()), None)
        if current is None:
            return ()
        now, *earlier = list_releases(current)
        url = self._url(current, self.proxies.current())
        serving = Release(now.tag, current.spec.image, now.created, "serving" if current.running else "old", url)
        kept = [each for each in earlier if find_image(self.engine, self._reference(each))]
        canary = self.containers.own(self.containers.canary)
        candidate = (canary_release(canary),) if canary else ()
        return (*candidate, serving, *(Release(each.tag, self._reference(each), each.created, "old") for each in kept))

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Run an earlier image with the settings and the environment of the current container.

        The golden row is not checked: it is the current version's. Raises AbsentError, VerdictError, RefusedError while
        a canary stands, LockedError, EngineError.
        """
        with hold_engine_lock(self.engine, self.project.app.name, LOCK_SUBJECT):
            refuse_canary(self.containers)
            rollout = ContainerRollout(self.containers, self.project, None, monitor)
            current = rollout.settle(self.settings.restart)
            reference = self._choose(revision)
            if current is None:
                raise self._absent_error()
            image = self.containers.image(reference)
            spec = replace(current.spec, image=reference, image_id=image.image_id, init=not image.has_init)
            port = open_rollout(self.containers, self.project, self._same_port(current), reference, current, monitor)
            rolled = rollout.run(replace(spec, host="127.0.0.1", host_port=0), port, current)
        return Address(rolled.url, Image(reference, image.image_id, "", 0, ()), gap_seconds=rolled.gap_seconds)

    def scale(self, count: int, monitor: Monitor) -> None:
        raise self.refusals()["scale"]

    def refusals(self) -> Mapping[str, MldeployError]:
        """`mldeploy.providers.capabilities.RefusesOperations`: a second container would use the same processors."""
        return {"scale": without_scale(LOCAL)}

    def execute(self, command: Sequence[str], instance: str, streams: Streams) -> int:
        """`mldeploy.providers.capabilities.CanExec`: in the serving container, or in the named one."""
        running = [each for each in self.containers.all() if each.running]
        chosen = next((each for each in running if self._is_meant(each, instance)), None)
        if chosen is None:
            what = f"there is no running instance {instance}" if instance else "the app does not run on this machine"
            raise AbsentError(self.containers.app, what, "See `mldeploy ps`.")
        return execute_command(self.engine, chosen.id, command, streams)

    def _is_meant(self, container: Container, instance: str) -> bool:
        return container.name == instance if instance else self._has_port(container)

    def _choose(self, revision: str | None) -> str:
        """Return the image to go back to. Raises AbsentError."""
        now, *earlier = self.releases() or (None,)
        if now is None:
            raise self._absent_error()
        if revision is None and not earlier:
            what = "there is no earlier release whose image is still on the engine"
            raise AbsentError(self.containers.app, what, "See `mldeploy history`.")
        known = {each.revision: each.image for each in (now, *earlier)}
        chosen = earlier[0].revision if revision is None else revision
        if chosen not in known:
            raise AbsentError(self.containers.app, f"there is no revision {chosen}", f"There are: {', '.join(known)}.")
        return known[chosen]

    def _same_port(self, current: Container) -> LocalSettings:
        """Return the settings for the port as it is: a rollback changes the image alone."""
        published = (self.proxies.current() or current).spec
        return self.settings.model_copy(update={"host": published.host, "port": published.host_port})

    def _absent_error(self) -> AbsentError:
        return AbsentError(self.containers.app, "is not deployed on this machine", "Run `mldeploy deploy`.")

    def _reference(self, release: PastRelease) -> str:
        return f"{self.containers.app}:{release.tag}"

    def _lines(self, container: Container, follow: bool, tail: int) -> Iterator[str]:
        client = self.engine.client
        with engine_errors(container.name):
            stream = client.logs(container.id, stream=True, follow=follow, tail=tail or "all")
            try:
                yield from _split_lines(stream)
            finally:
                close_stream(stream)

    def _successor(self) -> Container | None:
        """Return the container that takes over after one has ended; None if there is none."""
        deadline = time.monotonic() + HAND_OVER_SECONDS
        while time.monotonic() < deadline:
            existing = [each for each in self.containers.all() if each.name != self.containers.canary]
            for each in existing:
                if each.running and self._has_port(each):
                    return each
            if all(each.name == self.containers.serving for each in existing):
                return None
            time.sleep(POLL_SECONDS)  # a rollout is in progress
        return None

    def _has_port(self, container: Container) -> bool:
        return container.name not in (self.containers.candidate, self.containers.canary)

    def _url(self, container: Container, proxy: Container | None) -> str:
        """Return where a container answers; "" while it or its proxy does not run. A canary has a port of its own."""
        if container.name == self.containers.canary:
            return container.url if container.running else ""
        is_open = publishes_port(container) or (proxy is not None and proxy.running)
        return public_url(container, proxy) if container.running and is_open else ""

    def _instance(self, container: Container, proxy: Container | None) -> Instance:
        return Instance(
            name=container.name,
            image=container.spec.image,
            state=container.state,
            health=self._health(container),
            url=self._url(container, proxy),
            started=container.started,
            restarts=container.restarts,
            memory=self.containers.usage(container.id).memory if container.running else 0,
        )

    def _health(self, container: Container) -> str:
        """Return the health. The engine checks it at intervals, and only for images with a HEALTHCHECK."""
        if not container.running:  # the engine reports the last health
            return ""
        if container.health in ("healthy", "unhealthy"):
            return container.health
        return (container.health or "unhealthy") if answer_drift(container.url, self.project.app.health) else "healthy"


def _split_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Split byte chunks into lines of text; yield each line once it is complete."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
