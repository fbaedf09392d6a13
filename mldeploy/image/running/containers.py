"""Every call to the engine about an app's containers. Nothing else sends one."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import PurePosixPath

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from mldeploy.core.errors import RefusedError
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors, explanation
from mldeploy.image.labels import SPEC, matching
from mldeploy.image.running.container import Container, read
from mldeploy.image.running.spec import ContainerSpec, ImageConfig, Limits, create_body

INITS = frozenset({"tini", "tini-static", "dumb-init", "docker-init", "catatonit", "init", "s6-svscan"})
PORT_IN_USE = ("port is already allocated", "address already in use")
GONE_SECONDS = 30.0


class StartError(EngineError):
    """The engine cannot start a container: its command, its user, its architecture. `what` is the engine's reason."""


class PortInUseError(EngineError):
    """The engine cannot start a container since its port is somebody else's."""


@dataclass(frozen=True)
class Usage:
    """memory: bytes in use. cpu: nanoseconds of CPU time since the start."""

    memory: int
    cpu: int


@dataclass(frozen=True)
class Containers:
    """The containers of one app. Every method raises EngineError when the engine does not do what it is asked.

    mark: the label that ours bear, beside those that say whose they are.
    """

    engine: Engine
    app: str
    mark: str = SPEC

    @property
    def serving(self) -> str:
        """The name of the container that serves."""
        return f"mldeploy-{self.app}"

    @property
    def candidate(self) -> str:
        """The name of a new version that is being examined beside the one that serves."""
        return f"{self.serving}-candidate"

    @property
    def next(self) -> str:
        """The name of a new version that gets the port, until it has answered there."""
        return f"{self.serving}-next"

    def all(self) -> tuple[Container, ...]:
        """Those of ours, running or not, the one that serves first."""
        client, filters = self.engine.client, matching(self.app)
        with engine_errors(f"containers of {self.app}"):
            listed = client.containers(all=True, filters={"label": [*filters["label"], self.mark]})
        found = (self.get(each["Id"]) for each in listed)
        return tuple(sorted((each for each in found if each), key=lambda each: (not each.running, len(each.name))))

    def get(self, name: str) -> Container | None:
        """The container of this name or id, whoever it belongs to."""
        try:
            with engine_errors(name):
                return read(self.engine.client.inspect_container(name), self.app, self.mark)
        except EngineError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise

    def own(self, name: str) -> Container | None:
        """Our container of this name. Raises RefusedError if the name is taken by one that is not ours."""
        found = self.get(name)
        if found and not found.ours:
            todo = "Rename or remove it, or choose another name for the app in mldeploy.toml."
            whose = f"it belongs to the app {found.owner}" if found.owner else "mldeploy did not make it"
            raise RefusedError(f"container {name}", f"is in the way: {whose}", todo)
        return found

    def create(self, name: str, spec: ContainerSpec) -> str:
        """Create a container, not started, and return its id."""
        try:
            with engine_errors(name):
                made = self.engine.client.create_container_from_config(create_body(spec, self.mark), name=name)
                return str(made["Id"])
        except EngineError as error:
            if "Range of CPUs" in error.what:
                raise EngineError(name, error.what, "Lower `cpus` in [app], or give the engine more.") from error
            raise

    def start(self, container: str) -> Container:
        """Start a container. Raises StartError or PortInUseError if it is the container's fault. May be repeated."""
        try:
            with engine_errors(container[:12]):
                self.engine.client.start(container)
        except EngineError as error:
            if isinstance(error.__cause__, APIError):
                raise _start_error(error, error.__cause__) from error.__cause__
            raise
        return self.present(container)

    def present(self, container: str) -> Container:
        """A container that must be there."""
        found = self.get(container)
        if found is None:
            raise EngineError(container[:12], "the container was removed by somebody else", "Deploy again.")
        return found

    def stop(self, container: Container) -> None:
        """Tell a container to finish (SIGTERM), kill it after its stop timeout, return once it has ended.

        That it does not run, or is not there, is success.
        """
        with engine_errors(container.name), contextlib.suppress(NotFound):
            self.engine.client.stop(container.id, timeout=container.spec.stop_timeout)

    def kill(self, container: str) -> None:
        """End a container at once. That it does not run, or is not there, is success."""
        try:
            with engine_errors(container[:12]), contextlib.suppress(NotFound):
                self.engine.client.kill(container)
        except EngineError as error:
            if not _is_conflict(error):  # 409: it does not run
                raise

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes, at once if it still runs. Gone already is success."""
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            try:
                with engine_errors(container[:12]), contextlib.suppress(NotFound):
                    self.engine.client.remove_container(container, v=True, force=True)
                return
            except EngineError as error:
                # Somebody else is removing it already (409): it is gone only when the engine does not know it any more.
                if not _is_conflict(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def rename(self, container: str, name: str) -> None:
        with engine_errors(name):
            self.engine.client.rename(container, name)

    def set_restart(self, container: str, policy: str) -> None:
        """Change the restart policy in place. Raises EngineError, also on an engine that cannot do that."""
        try:
            with engine_errors(container[:12]):
                self.engine.client.update_container(container, restart_policy={"Name": policy})  # type: ignore[arg-type]  # the stub lacks two of them
        except EngineError as error:
            if isinstance(error.__cause__, NotFound) and self.get(container):
                what = "cannot change how a container is restarted, as older Podmans cannot"
                todo = 'Update it, or set restart = "no" in [target.local] of mldeploy.toml.'
                raise EngineError(self.engine.endpoint, what, todo) from error
            raise

    def limits(self) -> Limits:
        """Which limits this engine can set."""
        with engine_errors(self.engine.endpoint):
            found = self.engine.client.info()
        return Limits(*(bool(found.get(name, True)) for name in ("MemoryLimit", "CpuCfsQuota", "PidsLimit")))

    def image(self, reference: str) -> ImageConfig:
        """What decides of an image that is on the engine."""
        with engine_errors(reference):
            found = self.engine.client.inspect_image(reference)
        entrypoint = found["Config"].get("Entrypoint") or [""]
        return ImageConfig(reference, found["Id"], PurePosixPath(entrypoint[0]).name in INITS)

    def log_tail(self, container: str, lines: int) -> tuple[str, ...]:
        """The last lines that a container has written, both streams."""
        with engine_errors(container[:12]):
            written = self.engine.client.logs(container, tail=lines)
        return tuple(written.decode(errors="replace").splitlines())

    def file(self, container: str, *paths: str) -> str:
        """What files inside a running container hold; "" if it does not run or has no `cat`."""
        client = self.engine.client
        try:
            made = client.exec_create(container, ["cat", *paths])
            return client.exec_start(made["Id"], stream=False).decode(errors="replace")
        except (DockerException, RequestException):
            return ""

    def usage(self, container: str) -> Usage:
        """What a container uses now; zeros if the engine cannot say."""
        try:
            found = self.engine.client.stats(container, stream=False, one_shot=True)
        except (DockerException, RequestException):
            return Usage(0, 0)
        memory = found.get("memory_stats", {})
        # The page cache is not what the app needs: `docker stats` leaves it out, too (cgroup v2, then v1).
        details = memory.get("stats", {})
        cache = details.get("inactive_file", details.get("total_inactive_file", 0))
        return Usage(max(0, memory.get("usage", 0) - cache), found["cpu_stats"]["cpu_usage"]["total_usage"])


def _start_error(error: EngineError, cause: APIError) -> EngineError:
    """Whose fault it is that a container does not start: what the engine says is all there is to tell by."""
    said = explanation(cause)
    if any(phrase in said for phrase in PORT_IN_USE):
        return PortInUseError(error.where, said)
    if "runc create failed" in said or cause.status_code == 400:
        return StartError(error.where, said)
    return error


def _is_conflict(error: EngineError) -> bool:
    return isinstance(error.__cause__, APIError) and error.__cause__.status_code == 409
