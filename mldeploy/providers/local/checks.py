"""Checks of `mldeploy doctor` for the target `local`."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from mldeploy.app.container import Container
from mldeploy.app.containers import Containers
from mldeploy.check.trial import check_containers, lock_file, remove_leftovers
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.text import size
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.lock import Lock
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.labels import LOCAL
from mldeploy.providers.capabilities import CHECK_SECONDS, Finding, Fix, error, ok, warning
from mldeploy.providers.errors import PortTakenError
from mldeploy.providers.local.ports import check_port
from mldeploy.providers.local.proxy import ProxyContainers, public_url, publishes_port
from mldeploy.providers.local.rollout import LOCK_SUBJECT
from mldeploy.providers.local.settings import LocalSettings


def check_target(project: Project, settings: LocalSettings) -> Iterator[Finding]:
    """Check the app on this machine. Raises EngineError if the engine fails meanwhile."""
    try:
        cloud = EngineCloud(Engine.connect(int(CHECK_SECONDS)))
    except EngineError:  # the engine's own check reports it
        yield warning("container", "not checked: no engine answers")
        return
    containers = Containers(cloud.engine, project.app.name)
    proxies = ProxyContainers.of(cloud.engine, project.app.name)
    serving, proxy = containers.get(containers.serving), proxies.containers.get(proxies.name)
    yield from _TargetChecks(cloud, project, settings, containers, serving, proxy).findings()


@dataclass(frozen=True)
class _TargetChecks:
    """Checks one app on one engine. current, proxy: the containers with the names of the serving one and the proxy."""

    cloud: EngineCloud
    project: Project
    settings: LocalSettings
    containers: Containers
    current: Container | None
    proxy: Container | None

    def findings(self) -> Iterator[Finding]:
        yield from self._resources()
        yield self._container()
        yield from self._proxy()
        yield from self._restart()
        yield from self._port()
        yield from self._leftovers()

    def _resources(self) -> Iterator[Finding]:
        with engine_errors(self.cloud.engine.endpoint):
            info = self.cloud.engine.client.info()
        app, cpus, memory = self.project.app, int(info.get("NCPU") or 0), int(info.get("MemTotal") or 0)
        if 0 < cpus < app.cpus:
            what = f"the app requests {app.cpus:g}, but the engine has {cpus}: it will reject the container"
            yield error("cpus", what, "Lower `cpus` in [app], or give the engine more.")
        if 0 < memory < app.memory:
            what = f"the app may use {size(app.memory)}, but the engine has {size(memory)}"
            yield warning("memory", what, "Lower `memory` in [app], or give the engine more.")
        if app.cpus <= cpus and app.memory <= memory:
            yield ok("resources", f"enough for the app's limits: CPUs: {app.cpus:g}, memory: {size(app.memory)}")

    def _container(self) -> Finding:
        for each in filter(None, (self.current, self.proxy)):
            if not each.ours:
                whose = f"it belongs to the app {each.owner}" if each.owner else "mldeploy did not create it"
                todo = "Rename or remove it, or choose another name for the app: `name` in [app]."
                return error("container", f"the name {each.name} is taken: {whose}", todo)
        if self.current is None:
            return ok("container", "none: the app is not deployed here")
        return _report_state(self.current, public_url(self.current, self.proxy))

    def _proxy(self) -> Iterator[Finding]:
        current, proxy = self.current, self.proxy
        if not (current and current.ours and current.running):
            return
        if publishes_port(current):
            what = f"none: an earlier version of mldeploy let {current.name} publish the port itself"
            yield warning("proxy", what, "The next `mldeploy deploy` with a change adds it, with a moment of silence.")
        elif proxy is None or (proxy.ours and not proxy.running):
            state = "is missing" if proxy is None else f"is {proxy.state}"
            yield error("proxy", f"it {state}, so nothing answers on the app's port", "Run `mldeploy deploy`.")
        elif proxy.ours:
            yield ok("proxy", f"{proxy.name} holds the port")

    def _restart(self) -> Iterator[Finding]:
        policy = self.settings.restart
        if self.current and self.current.ours and self.current.spec.restart != policy:
            what = f"{self.current.spec.restart}, but the configuration has {policy}"
            yield warning("restart", what, "`mldeploy deploy` changes it.")
        elif policy == "no":
            yield ok("restart", "no: it stays stopped after a crash or a reboot")
        else:
            yield ok("restart", policy)

    def _port(self) -> Iterator[Finding]:
        if self.cloud.machine:
            what = f"the engine runs on {self.cloud.machine}: the app would answer there, not on this machine"
            yield error("port", what, "Choose an engine on this machine: `docker context use`.")
            return
        host, port = self.settings.host, self.project.app.port if self.settings.port is None else self.settings.port
        if not _is_local_address(host):
            todo = 'Set `host` in [target.local] to "127.0.0.1", or to an address that `ip address` lists.'
            yield error("port", f"{host} is not an address of this machine", todo)
            return
        if self.settings.is_public:
            todo = 'To restrict it to this machine, set `host = "127.0.0.1"` in [target.local].'
            yield warning("host", f"anyone who can reach {host} can use the app, without a password", todo)
        yield self._availability(host, port) if port else ok("port", "a free port is chosen at the first deployment")

    def _availability(self, host: str, port: int) -> Finding:
        owners = (each for each in (self.proxy, self.current) if each and each.ours and each.running)
        holder = next((each for each in owners if each.published[1] == port), None)
        try:
            check_port(self.cloud.engine, host, port, mine=holder.id if holder else "")
        except PortTakenError as taken:
            return error("port", f"{port} {taken.what}", taken.todo)
        return ok("port", f"{port} on {host} is " + ("the app's" if holder else "free"))

    def _leftovers(self) -> Iterator[Finding]:
        """Report containers that exist only while a command runs."""
        for container in check_containers(self.cloud.engine, self.project.app.name).all():
            what = f"{container.name} is left over from an interrupted check, unless one is running"
            fix = Fix("remove the leftovers of a check", self._remove_checks)
            yield warning("leftover", what, "The next check or `mldeploy doctor --fix` removes it.", fix)
        proxies = ProxyContainers.of(self.cloud.engine, self.project.app.name)
        for container in (*self.containers.all(), *proxies.containers.all()):
            what = f"{container.name} is left over from an interrupted deployment, unless one is running"
            if container.name == self.containers.candidate:
                fix = Fix(f"remove the container {container.name}", self._remove_candidate)
                yield warning("leftover", what, "`mldeploy deploy` or `mldeploy doctor --fix` removes it.", fix)
            elif container.name in (self.containers.next, proxies.next):
                yield warning("leftover", what, "`mldeploy deploy` finishes or undoes that deployment.")

    def _remove_checks(self) -> None:
        """Remove the leftovers of checks. Raises LockedError while a check runs, EngineError."""
        app, engine = self.project.app.name, Engine.connect()
        lock = Lock(lock_file(app), "mldeploy doctor --fix")
        try:
            with hold_engine_lock(engine, app, "check"):
                remove_leftovers(engine, app)
        finally:
            lock.release(remove=True)

    def _remove_candidate(self) -> None:
        """Remove the candidate, which has no traffic. Raises LockedError while a command runs, EngineError."""
        app, engine = self.project.app.name, Engine.connect()
        containers = Containers(engine, app)
        with (
            Journal(state_folder(), Scope(app, LOCAL), "mldeploy doctor --fix"),
            hold_engine_lock(engine, app, LOCK_SUBJECT),
        ):
            if candidate := containers.own(containers.candidate):
                containers.remove(candidate.id)


def _report_state(container: Container, url: str) -> Finding:
    """Report the state of mldeploy's container."""
    times = f"{container.restarts} times" if container.restarts > 1 else "once"
    if container.state == "restarting":
        what = f"{container.name} crashes (exit code {container.exit_status}) and was restarted {times}"
        return error("container", what, "`mldeploy logs` shows why; `mldeploy stop` stops it.")
    if not container.running:
        return warning("container", f"{container.name} exists, but is {container.state}", "Run `mldeploy deploy`.")
    if container.health == "unhealthy":
        what = f"{container.name} runs at {url}, but does not answer its health check"
        return error("container", what, "`mldeploy logs` shows why.")
    if container.restarts:
        what = f"{container.name} runs at {url}, but has crashed and was restarted {times}"
        return warning("container", what, "`mldeploy logs` may show why.")
    return ok("container", f"{container.name} runs at {url}" + (f", {container.health}" if container.health else ""))


def _is_local_address(host: str) -> bool:
    """Whether this machine has the address."""
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((host, 0))
        except OSError as problem:
            return problem.errno != errno.EADDRNOTAVAIL
    return True
