"""A site or slot: its configuration and its containers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from mldeploy.rehearsal.azure.arm.plans import list_sites
from mldeploy.rehearsal.azure.arm.schema import ArmError
from mldeploy.rehearsal.azure.arm.state import ArmResource
from mldeploy.rehearsal.azure.sites.container_spec import (
    SiteContainer,
    SiteContext,
    SiteLogBuffer,
    build_spec,
    is_reference,
    resolve_reference,
)
from mldeploy.rehearsal.azure.sites.front_end import RampUpRule, SiteFrontEnd
from mldeploy.rehearsal.azure.sites.startup import SiteStart, SiteStartError

_GRACE = 5
"""Grace period in seconds. Standard: App Service, `WEBSITES_CONTAINER_STOP_TIME_LIMIT`."""


class StandInSite:
    """The containers of a resource. config: `config/web`; settings: app settings. Both change under the account's lock.

    The old containers serve until the new ones respond. If those do not start, the site is stopped
    ("Revert by stopping site"); a later request starts it again after a pause.
    """

    def __init__(self, context: SiteContext, resource: ArmResource) -> None:
        self.config: dict[str, Any] = {}
        self.settings: dict[str, str] = {}
        self.references: dict[str, tuple[str, str]] = {}
        """Value and status of each key vault reference, as of the last start."""
        self.rules: tuple[RampUpRule, ...] = ()
        """What share of the requests goes to which slot. A swap leaves them where they are."""
        self.log = SiteLogBuffer()
        self._context = context
        self._resource = resource
        self._address = context.addresses.take()
        self._mutex = threading.RLock()
        self._round_robin = count()
        self._number = 0
        self._is_starting = False
        self._failed = -60.0
        self._serving: Sequence[SiteContainer] = ()
        self._is_deleted = False
        self._address.serve(SiteFrontEnd(self))

    @property
    def name(self) -> str:
        """The name in the log: `app`, and `app__staging` for a slot."""
        return "__".join(self._resource.id.split("/")[8::2])

    @property
    def host(self) -> str:
        return self._address.host

    @property
    def is_stopped(self) -> bool:
        return bool(self._resource.properties.get("state") == "Stopped")

    @property
    def is_secure_only(self) -> bool:
        return bool(self._resource.properties.get("httpsOnly"))

    @property
    def is_up(self) -> bool:
        """A container runs."""
        return any(each.exit is None for each in self._serving)

    @property
    def containers(self) -> Sequence[SiteContainer]:
        """The current containers."""
        return self._serving

    def upstream(self) -> str:
        """Return the next running container's URL. Restart missing containers, with a pause after a failed start."""
        serving = self._serving
        alive = [each for each in serving if each.exit is None]
        if len(alive) < max(len(serving), 1):
            with self._mutex:
                is_rested = time.monotonic() - self._failed > max(1.0, 10 * self._context.pace)
                if is_rested and not self._is_starting:
                    self.restart()
        return alive[next(self._round_robin) % len(alive)].url if alive else ""

    def restart(self) -> None:
        """Start containers with the current configuration. They replace the running ones once they respond."""
        with self._mutex:
            if self._is_deleted or self.is_stopped:
                return
            self._number += 1
            self._is_starting = True
            threading.Thread(target=self._run_start, args=(self._number,), daemon=True).start()

    def stop(self) -> None:
        """Stop all containers."""
        with self._mutex:
            self._number += 1
            self._is_starting = False
            replaced, self._serving = self._serving, ()
        self._remove_later(replaced)

    def delete(self) -> None:
        """Remove all containers and release the address."""
        with self._mutex:
            self._is_deleted = True
            self._number += 1
            replaced, self._serving = self._serving, ()
        self._context.addresses.release(self._address)
        self._remove_later(replaced, grace=0)

    def swap(self, other: StandInSite) -> None:
        """Exchange configuration, containers and log with another site. Tags, identity and address stay."""
        with self._mutex, other._mutex:
            self._number += 1
            other._number += 1
            self._is_starting = other._is_starting = False
            self.config, other.config = _swapped(self.config, other.config), _swapped(other.config, self.config)
            self.settings, other.settings = other.settings, self.settings
            self.references, other.references = other.references, self.references
            self._serving, other._serving = other._serving, self._serving
            self.log, other.log = other.log, self.log
        self.log.write(f"Swapped with slot {other.name}.")

    def _run_start(self, number: int) -> None:
        time.sleep(self._context.pace)
        starting = self._prepare_start(number)
        if starting is None:
            return
        try:
            containers = starting.run()
        except SiteStartError:
            self._handle_failure(number)
            return
        with self._mutex:
            is_late = self._is_superseded(number)
            replaced = containers if is_late else self._serving
            if not is_late:
                self._serving, self._is_starting = containers, False
                for each in containers:
                    self._watch(each)
        self._remove_later(replaced)

    def _prepare_start(self, number: int) -> SiteStart | None:
        with self._context.account.lock:
            if self._is_superseded(number):
                return None
            try:
                self._resolve_references()
                spec = build_spec(self._context, self._resource, self.config, self.settings)
            except ArmError:  # the plan was deleted, and with it the site
                spec = None
        if spec is None:
            with self._mutex:
                self._is_starting = False
            return None
        return SiteStart(self.name, self._context, spec, self.log, lambda: self._is_superseded(number))

    def _resolve_references(self) -> None:
        """Resolve the references of the settings. Source: App Service, "Use Key Vault references", rotation."""
        resolved = {
            name: (value, resolve_reference(self._context, self._resource, value)[1])
            for name, value in self.settings.items()
        }
        self.references = {name: each for name, each in resolved.items() if each[1]}

    def _is_superseded(self, number: int) -> bool:
        return self._number != number

    def _handle_failure(self, number: int) -> None:
        with self._mutex:
            if self._is_superseded(number):
                return
            self.log.write("Failed to start site. Revert by stopping site.")
            self._is_starting, self._failed = False, time.monotonic()
            replaced, self._serving = self._serving, ()
        self._remove_later(replaced)

    def _watch(self, container: SiteContainer) -> None:
        """Log the exit of a container that was not removed. The next request restarts the site."""

        def log_exit() -> None:
            if not container.is_removed and container.exit is not None:
                container.log.write(f"Container has finished running with exit code: {container.exit.code}.")

        container.on_exit(log_exit)

    def _remove_later(self, containers: Sequence[SiteContainer], grace: int = _GRACE) -> None:
        def remove() -> None:
            for each in containers:
                if grace:
                    self.log.write(f"Container {each.name} is terminating. Grace period: {grace} seconds.")
                each.remove(grace)

        if containers:
            threading.Thread(target=remove, daemon=True).start()

    def list_references(self) -> Sequence[tuple[str, str, str]]:
        """Return name, value and status of each key vault reference. One that is newer than the last start waits."""
        listed = [(name, value) for name, value in self.settings.items() if is_reference(value)]
        known = self.references
        return [
            (name, value, known[name][1] if known.get(name, ("", ""))[0] == value else "Initialized")
            for name, value in listed
        ]

    def list_instances(self) -> Sequence[Mapping[str, str]]:
        """Return name and state of each container, by its health check."""
        path = str(self.config.get("healthCheckPath") or "")
        states = {True: "READY", False: "UNKNOWN"}
        return [{"name": each.name, "state": states[each.is_healthy(path)]} for each in self._serving]


_STAYS = ("alwaysOn", "minTlsVersion", "scmMinTlsVersion")
"""Settings that a swap does not exchange. Standard: App Service, "Set up staging environments"."""


def _swapped(config: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a site's configuration after a swap with another one."""
    return {**other, **{name: config[name] for name in _STAYS if name in config}}


class StandInSites:
    """The sites and slots by resource. The caller holds the account's lock."""

    def __init__(self, context: SiteContext) -> None:
        self._context = context
        self._sites: dict[str, StandInSite] = {}

    def __getitem__(self, resource: ArmResource) -> StandInSite:
        """Return the stand-in site of a site or slot resource."""
        return self._sites[resource.id.lower()]

    def create(self, resource: ArmResource) -> None:
        """Create the stand-in site of a resource. It is deleted with the resource."""
        site = self._sites[resource.id.lower()] = StandInSite(self._context, resource)
        resource.properties.update(state="Running", defaultHostName=site.host)

        def delete() -> None:
            self._sites.pop(resource.id.lower(), None)
            site.delete()

        resource.on_removed = delete

    def apply_capacity(self, plan: ArmResource) -> None:
        """Restart the plan's sites whose number of containers differs from the plan's capacity."""
        for each in list_sites(self._context.account, plan):
            site = self[each]
            if len(site.containers) not in (0, plan.body["sku"]["capacity"]):
                site.restart()
