"""A site, or a slot of one: its configuration, and the containers that answer for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from mldeploy.rehearsal.azure.arm.account import Resource
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.sites.front import Reception
from mldeploy.rehearsal.azure.sites.log import Log
from mldeploy.rehearsal.azure.sites.stage import Stage
from mldeploy.rehearsal.azure.sites.start import StartError, Starting
from mldeploy.rehearsal.azure.sites.wanted import wanted
from mldeploy.rehearsal.azure.sites.worker import Worker

_GRACE = 5
"""Seconds that a container has to end by itself. Standard: App Service, `WEBSITES_CONTAINER_STOP_TIME_LIMIT`."""


class Site:
    """What runs for a resource. config: `config/web`; settings: the app's. Both are changed under the account's lock.

    The old containers go on answering until the new ones do; when those do not come up, the site is stopped as a whole
    ("Revert by stopping site"), and is started again when somebody comes and some time has passed.
    """

    def __init__(self, stage: Stage, resource: Resource) -> None:
        self.config: dict[str, Any] = {}
        self.settings: dict[str, str] = {}
        self.log = Log()
        self._stage = stage
        self._resource = resource
        self._front = stage.fronts.take()
        self._mutex = threading.RLock()
        self._turns = count()
        self._number = 0
        self._is_starting = False
        self._failed = -60.0
        self._serving: Sequence[Worker] = ()
        self._is_gone = False
        self._front.serve(Reception(self))

    @property
    def name(self) -> str:
        """As the log calls it: `app`, and `app__staging` for a slot."""
        return "__".join(self._resource.id.split("/")[8::2])

    @property
    def host(self) -> str:
        return self._front.host

    @property
    def is_stopped(self) -> bool:
        return bool(self._resource.properties.get("state") == "Stopped")

    @property
    def is_secure_only(self) -> bool:
        return bool(self._resource.properties.get("httpsOnly"))

    @property
    def is_up(self) -> bool:
        """A container answers."""
        return any(each.exit is None for each in self._serving)

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that answer for it now."""
        return self._serving

    def upstream(self) -> str:
        """The next of those that run; where one is missing, a start is tried, but not again and again."""
        serving = self._serving
        alive = [each for each in serving if each.exit is None]
        if len(alive) < max(len(serving), 1):
            with self._mutex:
                rested = time.monotonic() - self._failed > max(1.0, 10 * self._stage.pace)
                if rested and not self._is_starting:
                    self.renew()
        return alive[next(self._turns) % len(alive)].url if alive else ""

    def renew(self) -> None:
        """Start containers of what is configured now. They take over from those that there are once they answer."""
        with self._mutex:
            if self._is_gone or self.is_stopped:
                return
            self._number += 1
            self._is_starting = True
            threading.Thread(target=self._come, args=(self._number,), daemon=True).start()

    def stop(self) -> None:
        """Nothing runs any more."""
        with self._mutex:
            self._number += 1
            self._is_starting = False
            going, self._serving = self._serving, ()
        self._dismiss(going)

    def vanish(self) -> None:
        """Nothing of it is left."""
        with self._mutex:
            self._is_gone = True
            self._number += 1
            going, self._serving = self._serving, ()
        self._stage.fronts.give_back(self._front)
        self._dismiss(going, grace=0)

    def swap(self, other: Site) -> None:
        """Exchange what is configured, what answers, and what that has written. Tags, identity and address stay."""
        with self._mutex, other._mutex:
            self._number += 1
            other._number += 1
            self._is_starting = other._is_starting = False
            self.config, other.config = other.config, self.config
            self.settings, other.settings = other.settings, self.settings
            self._serving, other._serving = other._serving, self._serving
            self.log, other.log = other.log, self.log
        self.log.write(f"Swapped with slot {other.name}.")

    def _come(self, number: int) -> None:
        time.sleep(self._stage.pace)
        starting = self._starting(number)
        if starting is None:
            return
        try:
            workers = starting.run()
        except StartError:
            self._fail(number)
            return
        with self._mutex:
            late = self._is_over(number)
            going = workers if late else self._serving
            if not late:
                self._serving, self._is_starting = workers, False
                for each in workers:
                    self._watch(each)
        self._dismiss(going)

    def _starting(self, number: int) -> Starting | None:
        with self._stage.account.lock:
            if self._is_over(number):
                return None
            try:
                found = wanted(self._stage, self._resource, self.config, self.settings)
            except ArmError:  # its plan has gone, and with it the site
                found = None
        if found is None:
            with self._mutex:
                self._is_starting = False
            return None
        return Starting(self.name, self._stage, found, self.log, lambda: self._is_over(number))

    def _is_over(self, number: int) -> bool:
        return self._number != number

    def _fail(self, number: int) -> None:
        with self._mutex:
            if self._is_over(number):
                return
            self.log.write("Failed to start site. Revert by stopping site.")
            self._is_starting, self._failed = False, time.monotonic()
            going, self._serving = self._serving, ()
        self._dismiss(going)

    def _watch(self, worker: Worker) -> None:
        """One that ends by itself is told of, and the site is started anew when somebody comes."""

        def ended() -> None:
            if not worker.is_dismissed and worker.exit is not None:
                worker.log.write(f"Container has finished running with exit code: {worker.exit.code}.")

        worker.when_ended(ended)

    def _dismiss(self, workers: Sequence[Worker], grace: int = _GRACE) -> None:
        def remove() -> None:
            for each in workers:
                if grace:
                    self.log.write(f"Container {each.name} is terminating. Grace period: {grace} seconds.")
                each.remove(grace)

        if workers:
            threading.Thread(target=remove, daemon=True).start()

    def instances(self) -> Sequence[Mapping[str, str]]:
        """Name and state of each container, as its health check says."""
        path = str(self.config.get("healthCheckPath") or "")
        states = {True: "READY", False: "UNKNOWN"}
        return [{"name": each.name, "state": states[each.is_healthy(path)]} for each in self._serving]
