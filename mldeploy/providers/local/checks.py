"""What `mldeploy doctor` looks at on this machine, before the app is deployed to it and afterwards."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.text import size
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.lock import Lock
from mldeploy.image.check.trial import containers_of, lock_file, sweep
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.labels import LOCAL
from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers
from mldeploy.providers.checks import Finding, Fix, error, ok, warning
from mldeploy.providers.errors import PortTakenError
from mldeploy.providers.local.ports import check_port
from mldeploy.providers.local.settings import LocalSettings


def look(connect: Callable[[], EngineCloud], project: Project, settings: LocalSettings) -> Iterator[Finding]:
    """Everything about the app on this machine. Raises EngineError if the engine breaks off half-way."""
    try:
        cloud = connect()
    except EngineError:  # the doctor says why in its own lines about the engine
        yield warning("container", "not looked at: no engine answers")
        return
    containers = Containers(cloud.engine, project.app.name)
    yield from _Look(cloud, project, settings, containers, containers.get(containers.serving)).findings()


@dataclass(frozen=True)
class _Look:
    """One app on one engine. current: what bears the name of the container that serves."""

    cloud: EngineCloud
    project: Project
    settings: LocalSettings
    containers: Containers
    current: Container | None

    def findings(self) -> Iterator[Finding]:
        yield from self._resources()
        yield self._container()
        yield from self._restart()
        yield from self._port()
        yield from self._leftovers()

    def _resources(self) -> Iterator[Finding]:
        with engine_errors(self.cloud.engine.endpoint):
            info = self.cloud.engine.client.info()
        app, cpus, memory = self.project.app, int(info.get("NCPU") or 0), int(info.get("MemTotal") or 0)
        if 0 < cpus < app.cpus:
            what = f"the app asks for {app.cpus:g}, and the engine has {cpus}: it will refuse the container"
            yield error("cpus", what, "Lower `cpus` in [app], or give the engine more.")
        if 0 < memory < app.memory:
            what = f"the app may use {size(app.memory)}, and the engine has {size(memory)}"
            yield warning("memory", what, "Lower `memory` in [app], or give the engine more.")
        if app.cpus <= cpus and app.memory <= memory:
            yield ok(
                "resources", f"the engine has what the app may use: CPUs: {app.cpus:g}, memory: {size(app.memory)}"
            )

    def _container(self) -> Finding:
        found = self.current
        if found is None:
            return ok("container", "none: the app is not deployed here")
        if not found.ours:
            whose = f"it belongs to the app {found.owner}" if found.owner else "mldeploy did not make it"
            todo = "Rename or remove it, or choose another name for the app: `name` in [app]."
            return error("container", f"{found.name} is in the way: {whose}", todo)
        return _state(found)

    def _restart(self) -> Iterator[Finding]:
        wanted = self.settings.restart
        if self.current and self.current.ours and self.current.spec.restart != wanted:
            what = f"{self.current.spec.restart}, and the configuration says {wanted}"
            yield warning("restart", what, "`mldeploy deploy` changes it.")
        elif wanted == "no":
            yield ok("restart", "no: when it dies, or the machine starts anew, it stays stopped")
        else:
            yield ok("restart", wanted)

    def _port(self) -> Iterator[Finding]:
        if self.cloud.machine:
            what = f"the engine runs on {self.cloud.machine}: the app would answer there, not on this machine"
            yield error("port", what, "Choose an engine on this machine: `docker context use`.")
            return
        host, port = self.settings.host, self.project.app.port if self.settings.port is None else self.settings.port
        if not _is_ours(host):
            todo = 'Set `host` in [target.local] to "127.0.0.1", or to an address that `ip address` lists.'
            yield error("port", f"{host} is no address of this machine", todo)
            return
        if self.settings.is_public:
            todo = 'For this machine alone: `host = "127.0.0.1"` in [target.local].'
            yield warning("host", f"everybody who can reach {host} can use the app, without a password", todo)
        yield self._availability(host, port) if port else ok("port", "a free one is chosen at the first deployment")

    def _availability(self, host: str, port: int) -> Finding:
        current = self.current
        holds = current is not None and current.ours and current.running and current.published[1] == port
        try:
            check_port(self.cloud.engine, host, port, mine=current.id if current and holds else "")
        except PortTakenError as taken:
            return error("port", f"{port} {taken.what}", taken.todo)
        return ok("port", f"{port} on {host} is " + ("the app's" if holds else "free"))

    def _leftovers(self) -> Iterator[Finding]:
        """Containers that are there only while a command is under way, which nothing but its lock can tell."""
        for found in containers_of(self.cloud.engine, self.project.app.name).all():
            what = f"{found.name} is left over from a check that did not end, unless one is under way"
            fix = Fix("remove what a check left", self._remove_checks)
            yield warning("leftover", what, "The next check removes it, and so does `mldeploy doctor --fix`.", fix)
        for found in self.containers.all():
            what = f"{found.name} is left over from a deployment that did not end, unless one is under way"
            if found.name == self.containers.candidate:
                fix = Fix(f"remove the container {found.name}", self._remove_candidate)
                yield warning(
                    "leftover", what, "`mldeploy deploy` removes it, and so does `mldeploy doctor --fix`.", fix
                )
            elif found.name == self.containers.next:
                yield warning("leftover", what, "`mldeploy deploy` finishes that deployment or undoes it.")

    def _remove_checks(self) -> None:
        """Raises LockedError while a check works on the app, EngineError."""
        app = self.project.app.name
        lock = Lock(lock_file(app), "mldeploy doctor --fix")
        try:
            sweep(self.cloud.engine, app)
        finally:
            lock.release(remove=True)

    def _remove_candidate(self) -> None:
        """It never serves anybody. Raises LockedError while a command works on the app, EngineError."""
        scope = Scope(self.project.app.name, LOCAL)
        with Journal(state_folder(), scope, "mldeploy doctor --fix"):
            if candidate := self.containers.own(self.containers.candidate):
                self.containers.remove(candidate.id)


def _state(found: Container) -> Finding:
    """How our container is."""
    times = f"{found.restarts} times" if found.restarts > 1 else "once"
    if found.state == "restarting":
        what = f"{found.name} dies (exit code {found.exit_status}) and is started again, {times} so far"
        return error("container", what, "`mldeploy logs` says why; `mldeploy stop` ends it.")
    if not found.running:
        return warning("container", f"{found.name} is there, but {found.state}", "`mldeploy deploy` starts it.")
    if found.health == "unhealthy":
        what = f"{found.name} runs at {found.url}, but does not answer its health check"
        return error("container", what, "`mldeploy logs` says why.")
    if found.restarts:
        what = f"{found.name} runs at {found.url}, but has died and was started again, {times}"
        return warning("container", what, "`mldeploy logs` may say why.")
    return ok("container", f"{found.name} runs at {found.url}" + (f", {found.health}" if found.health else ""))


def _is_ours(host: str) -> bool:
    """This machine has the address."""
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((host, 0))
        except OSError as problem:
            return problem.errno != errno.EADDRNOTAVAIL
    return True
