"""All servers that have to be asked, each asked once, while everything else is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.core.errors import MldeployError
from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.network.ask import Answer, outcome
from mldeploy.doctor.network.images import Base, ask_registry, bases
from mldeploy.doctor.network.indexes import indexes
from mldeploy.doctor.network.packages import Asked, Asking
from mldeploy.doctor.pending import Pending
from mldeploy.doctor.text import host
from mldeploy.image.assembly import bases_of
from mldeploy.image.engine import Engine
from mldeploy.project.errors import ProjectError

GATHER_SECONDS = 8.0
"""First it must be found out whom to ask (pip takes a second to say it), then they have their seconds."""


@dataclass(frozen=True)
class Images:
    """The base images, and their registries that are being asked, by URL."""

    bases: tuple[Base, ...] = ()
    registries: Mapping[str, Pending[Answer]] = field(default_factory=dict)


class Answers:
    """What the servers say. Asking begins when this is made; whoever wants an answer waits."""

    def __init__(self, about: Circumstances) -> None:
        self._about = about
        self._images = Pending(self._ask_registries, GATHER_SECONDS)
        self._packages = Pending(self._ask_indexes, GATHER_SECONDS)

    @property
    def images(self) -> Images:
        """Nothing without an engine or a project. Raises ProjectError, EngineError, TimeoutError."""
        return self._images.result()

    @property
    def packages(self) -> tuple[Asked, ...]:
        """Nothing without a project. Raises TimeoutError."""
        return self._packages.result()

    def heard(self) -> Iterator[tuple[str, Answer]]:
        """Every server that answered: its name, and what it said. Why others did not is for their own checks to say."""
        with contextlib.suppress(MldeployError, TimeoutError):
            for url, asking in self.images.registries.items():
                if isinstance(answer := outcome(asking), Answer):
                    yield host(url), answer
        with contextlib.suppress(TimeoutError):
            for asked in self.packages:
                for answer in (asked.build, asked.machine):
                    if isinstance(answer, Answer):
                        yield host(asked.index.url), answer

    def _ask_registries(self) -> Images:
        project, facts = self._about.reading.project, self._about.machine.known
        if project is None or facts is None:
            return Images()
        found = bases(project, self._about.machine.engine, facts)
        return Images(found, {url: ask_registry(url) for url in dict.fromkeys(each.registry for each in found)})

    def _ask_indexes(self) -> tuple[Asked, ...]:
        project = self._about.reading.project
        if project is None:
            return ()
        facts = self._about.machine.known
        environment: dict[str, str] = {}
        with contextlib.suppress(ProjectError):  # a Dockerfile that cannot be read is said elsewhere
            for base in bases_of(project) if facts else ():
                environment |= _environment(self._about.machine.engine, base)
        asking = [Asking(each, project, facts.endpoint if facts else "") for each in indexes(project, environment)]
        return tuple(each.result() for each in asking)


def _environment(engine: Engine, image: str) -> dict[str, str]:
    """The variables that an image on the engine sets; none if it is not there."""
    try:
        told = engine.client.inspect_image(image)["Config"].get("Env") or ()
    except (DockerException, RequestException):
        return {}
    return {name: value for name, _, value in (each.partition("=") for each in told)}
