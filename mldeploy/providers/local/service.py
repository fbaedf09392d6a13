"""Operations on a deployed app on this machine."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.app.container import Container
from mldeploy.app.container_events import close_stream
from mldeploy.app.containers import Containers
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import LOCAL
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError, without_releases, without_scale
from mldeploy.providers.local.drift import answer_drift

POLL_SECONDS = 0.2
HAND_OVER_SECONDS = 60.0


@dataclass(frozen=True)
class LocalService:
    """Operates the containers of one app. health: the path to check if the engine does not know the health (yet)."""

    containers: Containers
    health: str

    def instances(self) -> tuple[Instance, ...]:
        return tuple(map(self._instance, self.containers.all()))

    def url(self) -> str | None:
        serving = next((each for each in self.containers.all() if each.running and self._has_port(each)), None)
        return serving.url if serving else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Yield log lines; with `follow`, also the next version's. Raises AbsentError without a container."""
        app_containers = [each for each in self.containers.all() if self._has_port(each)]
        if not app_containers:
            todo = "Run `mldeploy deploy`."
            raise AbsentError(self.containers.app, "is not deployed on this machine", todo)
        container: Container | None = app_containers[0]
        while container:
            yield from self._lines(container, follow, tail)
            container, tail = (self._successor() if follow else None), 0

    def stop(self) -> bool:
        existing = self.containers.all()
        for each in existing:
            self.containers.stop(each)
        return any(each.running for each in existing)

    def releases(self) -> tuple[Release, ...]:
        """Return the current release. Earlier ones are not kept."""
        return tuple(map(self._release, filter(self._has_port, self.containers.all())))

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        raise without_releases(LOCAL)

    def scale(self, count: int, monitor: Monitor) -> None:
        raise without_scale(LOCAL)

    def _lines(self, container: Container, follow: bool, tail: int) -> Iterator[str]:
        client = self.containers.engine.client
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
            existing = self.containers.all()
            for each in existing:
                if each.running and self._has_port(each):
                    return each
            if all(each.name == self.containers.serving for each in existing):
                return None
            time.sleep(POLL_SECONDS)  # a rollout is in progress
        return None

    def _has_port(self, container: Container) -> bool:
        return container.name != self.containers.candidate

    def _instance(self, container: Container) -> Instance:
        return Instance(
            name=container.name,
            image=container.spec.image,
            state=container.state,
            health=self._health(container),
            url=container.url if container.running else "",
            started=container.started,
            restarts=container.restarts,
            memory=self.containers.usage(container.id).memory if container.running else 0,
        )

    def _release(self, container: Container) -> Release:
        image = container.spec.image
        state, url = ("serving", container.url) if container.running else ("old", "")
        return Release(image.rpartition(":")[2], image, container.started, state, url)

    def _health(self, container: Container) -> str:
        """Return the health. The engine checks it at intervals, and only for images with a HEALTHCHECK."""
        if not container.running:  # the engine reports the last health
            return ""
        if container.health in ("healthy", "unhealthy"):
            return container.health
        return (container.health or "unhealthy") if answer_drift(container, self.health) else "healthy"


def _split_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Split byte chunks into lines of text; yield each line once it is complete."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
