"""Start a site's containers: pull, run, ping; with App Service's log messages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure.registry_hosts import request_manifest
from mldeploy.rehearsal.azure.sites.container_spec import (
    SiteContainer,
    SiteContainerSpec,
    SiteContext,
    SiteLogBuffer,
    make_container_name,
)
from mldeploy.rehearsal.containers.host import ContainerHostError

_UNAUTHORIZED = re.compile(r"unauthorized|denied|no basic auth|\((?:401|403)\)", re.IGNORECASE)
_NOT_FOUND = re.compile(r"not found|manifest unknown|name unknown", re.IGNORECASE)
_PAUSE = 0.02


class SiteStartError(Exception):
    """The site did not start. The site's log holds the reason."""


@dataclass
class SiteStart:
    """One start of a site. is_superseded: whether a newer start has begun, or the site is deleted."""

    site: str
    context: SiteContext
    spec: SiteContainerSpec
    log: SiteLogBuffer
    is_superseded: Callable[[], bool]

    def run(self) -> Sequence[SiteContainer]:
        """Return the containers after each has responded. Raises SiteStartError; then all containers are removed."""
        self._pull()
        containers: list[SiteContainer] = []
        try:
            for number in range(self.spec.count):
                containers.append(self._launch(number))
            begun = time.monotonic()
            for container in containers:
                self._wait_until_ready(container, begun)
        except BaseException:
            for container in containers:
                container.remove()
            raise
        self.log.write(f"Site startup probe succeeded after {time.monotonic() - begun:.1f} seconds.")
        for container in containers:
            what = "initialized successfully and is ready to serve requests."
            self.log.write(f"Container {container.name} for site {self.site} {what}")
        self.log.write("Site started.")
        return containers

    def _pull(self) -> None:
        image, begun = self.spec.image, time.monotonic()
        self.log.write(f"Pulling image: {image}")
        self._check_manifest()
        try:
            pulled = self.context.host.pull(image, self.spec.user, self.spec.password)
        except ContainerHostError as error:
            raise self._pull_error(str(error)) from error
        if pulled.architecture != "amd64":
            raise self._pull_error(f"no matching manifest for linux/amd64 in the manifest list entries: {image}")
        self.log.write(f"Pull Image successful, Time taken: {time.monotonic() - begun:.0f} Seconds")

    def _check_manifest(self) -> None:
        image = self.spec.image
        status = request_manifest(self.context.registry_hosts, image, self.spec.user, self.spec.password)
        if status == 0:
            raise self._pull_error(f"Get {image}: connection refused")
        if status in (401, 403):
            raise self._pull_error("unauthorized: authentication required")
        if status == 404:
            raise self._pull_error("manifest unknown: manifest tagged by this reference is not found")

    def _pull_error(self, text: str) -> SiteStartError:
        if _UNAUTHORIZED.search(text):
            kind, status = "ImagePullUnauthorizedFailure", "Unauthorized"
        elif _NOT_FOUND.search(text):
            kind, status = "ImagePullNotFoundFailure", "NotFound"
        else:
            kind, status = "ImagePullFailure", "InternalServerError"
        self.log.write(f"DockerApiException: Docker API responded with status code={status}, response={text}")
        self.log.write(f"Container pull image failed with reason: {kind}. Revert by terminate.")
        return SiteStartError(kind)

    def _launch(self, number: int) -> SiteContainer:
        name = make_container_name(self.site, number)
        self.log.write(f"Starting container: {name}.")
        try:
            return SiteContainer(name, self.context.host.start(self.spec.launch), self.spec, self.log)
        except ContainerHostError as error:
            self.log.write(f"Container {name} for site {self.site} could not be created: {error}")
            raise SiteStartError(str(error)) from error

    def _wait_until_ready(self, container: SiteContainer, begun: float) -> None:
        """Ping the container until it responds. Raises SiteStartError."""
        while not container.responds():
            if self.is_superseded():
                raise SiteStartError("a newer start has begun")
            if container.exit is not None:
                raise self._exit_error(container, container.exit.code)
            if time.monotonic() - begun > self.spec.limit:
                raise self._timeout_error(container)
            time.sleep(_PAUSE)

    def _exit_error(self, container: SiteContainer, code: int) -> SiteStartError:
        self.log.write(f"Container has finished running with exit code: {code}.")
        self.log.write(f"Site container: {container.name} terminated during site startup.")
        self.log.write(f"Container {container.name} for site {self.site} has exited, failing site start")
        return SiteStartError(f"exit code {code}")

    def _timeout_error(self, container: SiteContainer) -> SiteStartError:
        pings = f"didn't respond to HTTP pings on port: {self.spec.port}, failing site start."
        self.log.write(f"Container did not start within expected time limit of {self.spec.azure_limit}s.")
        self.log.write(f"Container {container.name} {pings} See container logs for debugging.")
        return SiteStartError("no answer")
