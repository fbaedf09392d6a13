"""How a site's containers are started, and in which words a start fails."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests

from mldeploy.rehearsal.azure.sites.log import Log
from mldeploy.rehearsal.azure.sites.stage import Stage
from mldeploy.rehearsal.azure.sites.wanted import Wanted
from mldeploy.rehearsal.azure.sites.worker import Worker, name_for
from mldeploy.rehearsal.containers.host import HostError
from mldeploy.rehearsal.containers.paper import MANIFESTS

_UNAUTHORIZED = re.compile(r"unauthorized|denied|no basic auth|\((?:401|403)\)", re.IGNORECASE)
_NOT_FOUND = re.compile(r"not found|manifest unknown|name unknown", re.IGNORECASE)
_PAUSE = 0.02
_PATIENCE = 60.0


class StartError(Exception):
    """It did not come up; the log says why."""


@dataclass
class Starting:
    """One start of a site. is_over: another one has begun since, or the site is gone: nobody waits for this one."""

    site: str
    stage: Stage
    wanted: Wanted
    log: Log
    is_over: Callable[[], bool]

    def run(self) -> Sequence[Worker]:
        """The workers, once each of them has answered. Raises StartError; nothing is left running then."""
        self._pull()
        workers: list[Worker] = []
        begun = time.monotonic()
        try:
            for number in range(self.wanted.count):
                workers.append(self._launched(number))
            for worker in workers:
                self._await(worker, begun)
        except BaseException:
            for worker in workers:
                worker.remove()
            raise
        self.log.write(f"Site startup probe succeeded after {time.monotonic() - begun:.1f} seconds.")
        for worker in workers:
            what = "initialized successfully and is ready to serve requests."
            self.log.write(f"Container {worker.name} for site {self.site} {what}")
        self.log.write("Site started.")
        return workers

    def _pull(self) -> None:
        image, begun = self.wanted.image, time.monotonic()
        self.log.write(f"Pulling image: {image}")
        self._ask_for_manifest()
        try:
            pulled = self.stage.host.pull(image, self.wanted.user, self.wanted.password)
        except HostError as error:
            raise self._pull_failed(str(error)) from error
        if pulled.architecture != "amd64":
            raise self._pull_failed(f"no matching manifest for linux/amd64 in the manifest list entries: {image}")
        self.log.write(f"Pull Image successful, Time taken: {time.monotonic() - begun:.0f} Seconds")

    def _ask_for_manifest(self) -> None:
        """An engine that knows an image by its digest does not ask whether it may pull it; here that always is."""
        login, _, path = self.wanted.image.partition("/")
        if self.stage.shelf.at(login) is None:
            return
        name, _, reference = path.partition("@") if "@" in path else path.partition(":")
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.wanted.user, self.wanted.password) if self.wanted.user else None
            url = f"http://{login}/v2/{name}/manifests/{reference or 'latest'}"
            try:
                status = session.get(url, headers={"Accept": MANIFESTS}, timeout=_PATIENCE).status_code
            except requests.RequestException as error:  # the registry has gone meanwhile
                raise self._pull_failed(f"Get {url}: connection refused") from error
        if status in (401, 403):
            raise self._pull_failed("unauthorized: authentication required")
        if status == 404:
            raise self._pull_failed("manifest unknown: manifest tagged by this reference is not found")

    def _pull_failed(self, text: str) -> StartError:
        if _UNAUTHORIZED.search(text):
            kind, status = "ImagePullUnauthorizedFailure", "Unauthorized"
        elif _NOT_FOUND.search(text):
            kind, status = "ImagePullNotFoundFailure", "NotFound"
        else:
            kind, status = "ImagePullFailure", "InternalServerError"
        self.log.write(f"DockerApiException: Docker API responded with status code={status}, response={text}")
        self.log.write(f"Container pull image failed with reason: {kind}. Revert by terminate.")
        return StartError(kind)

    def _launched(self, number: int) -> Worker:
        name = name_for(self.site, number)
        self.log.write(f"Starting container: {name}.")
        try:
            return Worker(name, self.stage.host.start(self.wanted.launch), self.wanted, self.log)
        except HostError as error:
            self.log.write(f"Container {name} for site {self.site} could not be created: {error}")
            raise StartError(str(error)) from error

    def _await(self, worker: Worker, begun: float) -> None:
        """Ping it until it answers."""
        while not worker.answers():
            if self.is_over():
                raise StartError("nobody waits for it")
            if worker.exit is not None:
                raise self._ended(worker, worker.exit.code)
            if time.monotonic() - begun > self.wanted.limit:
                raise self._too_slow(worker)
            time.sleep(_PAUSE)

    def _ended(self, worker: Worker, code: int) -> StartError:
        self.log.write(f"Container has finished running with exit code: {code}.")
        self.log.write(f"Site container: {worker.name} terminated during site startup.")
        self.log.write(f"Container {worker.name} for site {self.site} has exited, failing site start")
        return StartError(f"exit code {code}")

    def _too_slow(self, worker: Worker) -> StartError:
        pings = f"didn't respond to HTTP pings on port: {self.wanted.port}, failing site start."
        self.log.write(f"Container did not start within expected time limit of {self.wanted.told_limit}s.")
        self.log.write(f"Container {worker.name} {pings} See container logs for debugging.")
        return StartError("no answer")
