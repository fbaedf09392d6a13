"""Probes of all servers, each once, in the background of the other checks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.core.errors import MldeployError
from mldeploy.doctor.context import DoctorContext, host_of
from mldeploy.doctor.network.http_probe import ServerReply, probe_result
from mldeploy.doctor.network.images import BaseImageRef, inspect_base_images, probe_registry
from mldeploy.doctor.network.packages import IndexProbe, PendingIndexProbe, list_indexes
from mldeploy.doctor.runner import BackgroundValue
from mldeploy.image.build_inputs import list_base_references
from mldeploy.image.engine import Engine
from mldeploy.project.errors import ProjectError

DISCOVERY_SECONDS = 8.0
"""Includes the discovery of the indexes: pip takes a second to report its default."""


@dataclass(frozen=True)
class BaseImageProbes:
    """The base images, and the pending probes of their registries, by URL."""

    bases: tuple[BaseImageRef, ...] = ()
    registries: Mapping[str, BackgroundValue[ServerReply]] = field(default_factory=dict)


class NetworkProbes:
    """The probes of all servers. They start in the constructor; the properties wait for them."""

    def __init__(self, context: DoctorContext) -> None:
        self._context = context
        self._images = BackgroundValue(self._probe_registries, DISCOVERY_SECONDS)
        self._packages = BackgroundValue(self._probe_indexes, DISCOVERY_SECONDS)

    @property
    def images(self) -> BaseImageProbes:
        """Empty without an engine or a project. Raises ProjectError, EngineError, TimeoutError."""
        return self._images.result()

    @property
    def packages(self) -> tuple[IndexProbe, ...]:
        """Empty without a project. Raises TimeoutError."""
        return self._packages.result()

    def replies(self) -> Iterator[tuple[str, ServerReply]]:
        """Yield the name and the reply of every server that answered. The servers' own checks report failures."""
        with contextlib.suppress(MldeployError, TimeoutError):
            for url, pending in self.images.registries.items():
                if isinstance(reply := probe_result(pending), ServerReply):
                    yield host_of(url), reply
        with contextlib.suppress(TimeoutError):
            for probe in self.packages:
                for reply in (probe.build, probe.machine):
                    if isinstance(reply, ServerReply):
                        yield host_of(probe.index.url), reply

    def _probe_registries(self) -> BaseImageProbes:
        project, facts = self._context.reading.project, self._context.machine.known
        if project is None or facts is None:
            return BaseImageProbes()
        base_images = inspect_base_images(project, self._context.machine.engine, facts)
        return BaseImageProbes(
            base_images, {url: probe_registry(url) for url in dict.fromkeys(each.registry for each in base_images)}
        )

    def _probe_indexes(self) -> tuple[IndexProbe, ...]:
        project = self._context.reading.project
        if project is None:
            return ()
        facts = self._context.machine.known
        environment: dict[str, str] = {}
        with contextlib.suppress(ProjectError):  # another check reports an unreadable Dockerfile
            for base in list_base_references(project) if facts else ():
                environment |= _environment(self._context.machine.engine, base)
        pending = [
            PendingIndexProbe(each, project, facts.endpoint if facts else "")
            for each in list_indexes(project, environment)
        ]
        return tuple(each.result() for each in pending)


def _environment(engine: Engine, image: str) -> dict[str, str]:
    """Return the environment of an image on the engine; empty without the image."""
    try:
        variables = engine.client.inspect_image(image)["Config"].get("Env") or ()
    except (DockerException, RequestException):
        return {}
    return {name: value for name, _, value in (each.partition("=") for each in variables)}
