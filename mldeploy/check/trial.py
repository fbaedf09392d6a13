"""The containers that a check starts with production restrictions, and always removes."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mldeploy.app.container_spec import Body, ContainerSpec, build_restricted_spec, create_body
from mldeploy.app.containers import Containers
from mldeploy.app.examination import SETTLE_SECONDS
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import App
from mldeploy.core.errors import LockedError
from mldeploy.core.events import Progress
from mldeploy.core.lock import Lock
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import CHECK

ASK_EVERY = 0.2
LOCK_SECONDS = 900.0


@dataclass(frozen=True)
class CheckContainers:
    """The temporary containers of the check of one image. reference: `name:tag`. settle_seconds: of an Examination."""

    containers: Containers
    app: App
    reference: str
    settle_seconds: float = SETTLE_SECONDS

    @classmethod
    def of(cls, engine: Engine, app: App, reference: str, settle_seconds: float = SETTLE_SECONDS) -> CheckContainers:
        return cls(check_containers(engine, app.name), app, reference, settle_seconds)

    @property
    def engine(self) -> Engine:
        return self.containers.engine

    def desired_spec(self) -> ContainerSpec:
        """The app's spec with production restrictions and a loopback port. Raises EngineError."""
        return build_restricted_spec(self.app, self.containers.image(self.reference))

    def spec(self) -> ContainerSpec:
        """The desired spec without the limits that this engine cannot set. Raises EngineError."""
        return self.containers.limits().apply_to(self.desired_spec())

    @contextlib.contextmanager
    def container(self, spec: ContainerSpec, **changes: object) -> Iterator[str]:
        """Create a container and yield its id; remove it at the end. changes: further keys of the engine's request."""
        body: Body = {**create_body(spec, CHECK), **changes}
        # App names have no dots, so the name is unique.
        name = f"{self.containers.serving}.check-{uuid.uuid4().hex[:8]}"
        with engine_errors(name):
            made = str(self.engine.client.create_container_from_config(body, name=name)["Id"])
        try:
            yield made
        finally:
            self.containers.remove(made)


def check_containers(engine: Engine, app: str) -> Containers:
    """The containers of an app's checks."""
    return Containers(engine, app, CHECK)


@contextlib.contextmanager
def hold_check_lock(engine: Engine, app: str, monitor: Monitor) -> Iterator[None]:
    """Hold the locks of the app's checks. Waits for another check. Raises CancelledError, LockedError.

    Commands for different targets may check the same app, and each removes leftovers of the others.
    """
    with contextlib.ExitStack() as held:
        for _ in monitor.attempts(every=ASK_EVERY, within=LOCK_SECONDS):
            try:
                _acquire_locks(held, engine, app)
                break
            except LockedError:
                monitor.progress(Progress("", "waiting for another check of the same app"))
        else:
            _acquire_locks(held, engine, app)
        yield


def _acquire_locks(held: contextlib.ExitStack, engine: Engine, app: str) -> None:
    """Acquire the lock of this state folder, and the one of the engine. Raises LockedError, and then holds neither."""
    with contextlib.ExitStack() as acquired:
        lock = Lock(lock_file(app), "mldeploy check")
        acquired.callback(lock.release, remove=True)
        acquired.enter_context(hold_engine_lock(engine, app, "check"))
        held.enter_context(acquired.pop_all())


def lock_file(app: str) -> Path:
    """Return the lock's path. Target names have no leading dot, so it is no journal's lock."""
    return state_folder() / app / ".check.lock"


def remove_leftovers(engine: Engine, app: str) -> bool:
    """Remove leftovers of killed checks; True if there were any. Needs `hold_check_lock`. Raises EngineError."""
    containers = check_containers(engine, app)
    left = containers.all()
    for each in left:
        containers.remove(each.id)
    return bool(left)
