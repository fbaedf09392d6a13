"""What runs of an app on this machine, and how it is operated."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import LOCAL
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers
from mldeploy.image.running.streams import close
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError, without_releases, without_scale
from mldeploy.providers.local.drift import answer_drift

LOOK_EVERY = 0.2
HAND_OVER_SECONDS = 60.0


@dataclass(frozen=True)
class LocalService:
    """The containers of one app. health: the path that is asked where the engine does not know (yet) how it is."""

    containers: Containers
    health: str

    def instances(self) -> tuple[Instance, ...]:
        return tuple(map(self._instance, self.containers.all()))

    def url(self) -> str | None:
        serving = next((each for each in self.containers.all() if each.running and self._has_port(each)), None)
        return serving.url if serving else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no container. What follows goes on with the next version after a rollout."""
        found = [each for each in self.containers.all() if self._has_port(each)]
        if not found:
            todo = "`mldeploy deploy` starts it."
            raise AbsentError(self.containers.app, "is not deployed on this machine", todo)
        container: Container | None = found[0]
        while container:
            yield from self._lines(container, follow, tail)
            container, tail = (self._successor() if follow else None), 0

    def stop(self) -> bool:
        found = self.containers.all()
        for each in found:
            self.containers.stop(each)
        return any(each.running for each in found)

    def releases(self) -> tuple[Release, ...]:
        """The present one alone: what it took the place of is not kept."""
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
                yield from _split(stream)
            finally:
                close(stream)

    def _successor(self) -> Container | None:
        """The container that takes over when one has ended; None if nothing will."""
        deadline = time.monotonic() + HAND_OVER_SECONDS
        while time.monotonic() < deadline:
            found = self.containers.all()
            for each in found:
                if each.running and self._has_port(each):
                    return each
            if all(each.name == self.containers.serving for each in found):
                return None
            time.sleep(LOOK_EVERY)  # a rollout is under way
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
        """The engine looks only now and then, and not at all into an image without a HEALTHCHECK."""
        if not container.running:  # the engine remembers how it was last
            return ""
        if container.health in ("healthy", "unhealthy"):
            return container.health
        return (container.health or "unhealthy") if answer_drift(container, self.health) else "healthy"


def _split(chunks: Iterator[bytes]) -> Iterator[str]:
    """Lines of text, as soon as each is complete, from bytes that end anywhere."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
