"""The engine's container API, for the containers of one app."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import PurePosixPath

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from mldeploy.app.container import Container, parse_container
from mldeploy.app.container_spec import Body, ContainerSpec, ImageConfig, Limits, create_body
from mldeploy.core.errors import LockedError, MldeployError, RefusedError
from mldeploy.image.engine import Engine
from mldeploy.image.engine_lock import LOCKED_TODO, describe_origin
from mldeploy.image.errors import EngineError, engine_errors, explain_error
from mldeploy.image.labels import APP, SPEC, owner_filter

INITS = frozenset({"tini", "tini-static", "dumb-init", "docker-init", "catatonit", "init", "s6-svscan"})
PORT_IN_USE = ("port is already allocated", "address already in use")
GONE_SECONDS = 30.0
BUSY_STATES = ("R", "D")
"""States of a thread that runs or is ready to run, and of one that waits for a disk (ps(1))."""


class ContainerStartError(EngineError):
    """A container cannot be started: its command, user or architecture is wrong. `what`: the engine's reason."""


class PortInUseError(EngineError):
    """A container cannot be started because its port is in use."""


@dataclass(frozen=True)
class Usage:
    """memory: bytes in use. cpu: nanoseconds of CPU time since the start."""

    memory: int
    cpu: int


@dataclass(frozen=True)
class Containers:
    """The containers of one app. Every method raises EngineError if its request fails.

    mark: the label that identifies them, in addition to the owner labels.
    """

    engine: Engine
    app: str
    mark: str = SPEC

    @property
    def serving(self) -> str:
        """Name of the serving container."""
        return f"mldeploy-{self.app}"

    @property
    def candidate(self) -> str:
        """Name of a new version's container during its examination."""
        return f"{self.serving}-candidate"

    @property
    def next(self) -> str:
        """Name of a new version's container that takes over the port, until it has answered there."""
        return f"{self.serving}-next"

    @property
    def canary(self) -> str:
        """Name of a new version's container that stands beside the serving one and may get some of the requests."""
        return f"{self.serving}-canary"

    def all(self) -> tuple[Container, ...]:
        """Return our containers, running or not, the serving one first."""
        client, filters = self.engine.client, owner_filter(self.app)
        with engine_errors(f"containers of {self.app}"):
            summaries = client.containers(all=True, filters={"label": [*filters["label"], self.mark]})
        containers = (self.get(each["Id"]) for each in summaries)
        return tuple(sorted((each for each in containers if each), key=lambda each: (not each.running, len(each.name))))

    def get(self, name: str) -> Container | None:
        """Return the container of this name or id, whoever owns it, or None."""
        try:
            with engine_errors(name):
                return parse_container(self.engine.client.inspect_container(name), self.app, self.mark)
        except EngineError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise

    def own(self, name: str) -> Container | None:
        """Return our container of this name, or None. Raises RefusedError if a foreign container has the name."""
        container = self.get(name)
        if container and not container.ours:
            raise _foreign_error(name, container)
        return container

    def create(self, name: str, spec: ContainerSpec, body: Body | None = None) -> str:
        """Create a container without starting it; return its id. Raises as `_taken_error` if its name is taken.

        body: the request, if it has more than the spec says.
        """
        body = body or create_body(spec, self.mark, describe_origin())
        try:
            with engine_errors(name):
                return str(self.engine.client.create_container_from_config(body, name=name)["Id"])
        except EngineError as error:
            if taken := self._taken_error(error, name):
                raise taken from error
            if "Range of CPUs" in error.what:
                raise EngineError(name, error.what, "Lower `cpus` in [app], or give the engine more.") from error
            raise

    def start(self, container: str) -> Container:
        """Start a container. May be repeated. Raises ContainerStartError, PortInUseError, EngineError."""
        try:
            with engine_errors(container[:12]):
                self.engine.client.start(container)
        except EngineError as error:
            if isinstance(error.__cause__, APIError):
                raise _start_error(error, error.__cause__) from error.__cause__
            raise
        current = self.present(container)
        if current.state == "created":
            what = "the engine reports that it was started, but it was not"
            raise EngineError(current.name, what, "Deploy again. If that fails in the same way, restart Docker.")
        return current

    def present(self, container: str) -> Container:
        """Return a container that must exist."""
        current = self.get(container)
        if current is None:
            raise EngineError(container[:12], "another program removed the container", "Deploy again.")
        return current

    def stop(self, container: Container) -> None:
        """Stop a container (SIGTERM, then SIGKILL after its stop timeout). Returns once it has ended.

        Succeeds if it does not run or does not exist.
        """
        with engine_errors(container.name), contextlib.suppress(NotFound):
            self.engine.client.stop(container.id, timeout=container.spec.stop_timeout)

    def kill(self, container: str) -> None:
        """Kill a container. Succeeds if it does not run or does not exist."""
        try:
            with engine_errors(container[:12]), contextlib.suppress(NotFound):
                self.engine.client.kill(container)
        except EngineError as error:
            if not _is_conflict(error):  # 409: it does not run
                raise

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes, even if it runs. Succeeds if it does not exist."""
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            try:
                with engine_errors(container[:12]), contextlib.suppress(NotFound):
                    self.engine.client.remove_container(container, v=True, force=True)
                return
            except EngineError as error:
                # Another client is removing it (409): wait until the engine no longer knows it.
                if not _is_conflict(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def rename(self, container: str, name: str) -> None:
        """Rename a container. Raises as `_taken_error` if the name is taken."""
        try:
            with engine_errors(name):
                self.engine.client.rename(container, name)
        except EngineError as error:
            if taken := self._taken_error(error, name):
                raise taken from error
            raise

    def _taken_error(self, error: EngineError, name: str) -> MldeployError | None:
        """Return the error for a name that another container has got meanwhile, or None if `error` is not about it.

        LockedError if the container is the app's own, since another command has just made it; RefusedError otherwise.
        """
        if not _is_conflict(error) or (container := self.get(name)) is None:
            return None
        if not container.ours:
            return _foreign_error(name, container)
        origin = f" of {container.origin}" if container.origin else ""
        what = f"another command works on this app: it{origin} made the container {container.id[:12]} with that name"
        return LockedError(f"container {name}", what, LOCKED_TODO)

    def set_restart(self, container: str, policy: str) -> None:
        """Change the restart policy of a container. Raises EngineError if the engine cannot."""
        try:
            with engine_errors(container[:12]):
                self.engine.client.update_container(container, restart_policy={"Name": policy})  # type: ignore[arg-type]  # the stub lacks two of them
        except EngineError as error:
            if isinstance(error.__cause__, NotFound) and self.get(container):
                what = "cannot change a container's restart policy, as older versions of Podman cannot"
                todo = 'Update it, or set restart = "no" in [target.local] of mldeploy.toml.'
                raise EngineError(self.engine.endpoint, what, todo) from error
            raise

    def limits(self) -> Limits:
        """Return which limits this engine can set."""
        with engine_errors(self.engine.endpoint):
            info = self.engine.client.info()
        return Limits(*(bool(info.get(name, True)) for name in ("MemoryLimit", "CpuCfsQuota", "PidsLimit")))

    def image(self, reference: str) -> ImageConfig:
        """Return the configuration of an image on the engine."""
        with engine_errors(reference):
            document = self.engine.client.inspect_image(reference)
        entrypoint = document["Config"].get("Entrypoint") or [""]
        return ImageConfig(reference, document["Id"], PurePosixPath(entrypoint[0]).name in INITS)

    def log_tail(self, container: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of a container's log, both streams."""
        with engine_errors(container[:12]):
            written = self.engine.client.logs(container, tail=lines)
        return tuple(written.decode(errors="replace").splitlines())

    def file(self, container: str, *paths: str) -> str:
        """Return the content of files in a running container; "" if it does not run or has no `cat`."""
        client = self.engine.client
        try:
            made = client.exec_create(container, ["cat", *paths])
            return client.exec_start(made["Id"], stream=False).decode(errors="replace")
        except (DockerException, RequestException):
            return ""

    def usage(self, container: str) -> Usage:
        """Return a container's current usage; zeros if the engine cannot tell."""
        try:
            stats = self.engine.client.stats(container, stream=False, one_shot=True)
        except (DockerException, RequestException):
            return Usage(0, 0)
        memory = stats.get("memory_stats", {})
        # Without the page cache, like `docker stats` (cgroup v2, then v1).
        details = memory.get("stats", {})
        cache = details.get("inactive_file", details.get("total_inactive_file", 0))
        return Usage(max(0, memory.get("usage", 0) - cache), stats["cpu_stats"]["cpu_usage"]["total_usage"])

    def computes(self, container: str) -> bool:
        """Return whether a thread in a container runs, is ready to run, or waits for a disk; False if unknown."""
        try:
            rows: list[list[str]] = self.engine.client.top(container, "-eLo pid,stat")["Processes"] or []
        except (DockerException, RequestException):
            return False
        return any(row[-1][:1] in BUSY_STATES for row in rows)


def _start_error(error: EngineError, cause: APIError) -> EngineError:
    """Classify a failed start by the engine's message, which is the only indication."""
    reason = explain_error(cause)
    if any(phrase in reason for phrase in PORT_IN_USE):
        return PortInUseError(error.where, reason)
    if "runc create failed" in reason or cause.status_code == 400:
        return ContainerStartError(error.where, reason)
    return error


def _foreign_error(name: str, container: Container) -> RefusedError:
    """Return the error for a name that a container has which is not the app's."""
    todo = "Rename or remove it, or choose another name for the app in mldeploy.toml."
    whose = f"it belongs to the app {container.owner}" if container.owner else "mldeploy did not make it"
    return RefusedError(f"container {name}", f"uses the required name: {whose}", todo)


def _is_conflict(error: EngineError) -> bool:
    return isinstance(error.__cause__, APIError) and error.__cause__.status_code == 409


def list_deployed(engine: Engine) -> tuple[str, ...]:
    """Return the names of the apps with a container of a deployment on the engine. Raises EngineError."""
    with engine_errors("containers"):
        summaries = engine.client.containers(all=True, filters={"label": [APP, SPEC]})
    return tuple(sorted({str((each.get("Labels") or {}).get(APP, "")) for each in summaries} - {""}))
