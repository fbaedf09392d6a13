"""The containers that a check starts: behind the walls that the app will have, gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.paths import state_folder
from mldeploy.config.settings import App
from mldeploy.core.errors import LockedError
from mldeploy.core.events import Progress
from mldeploy.core.lock import Lock
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import CHECK
from mldeploy.image.running.containers import Containers
from mldeploy.image.running.spec import Body, ContainerSpec, create_body, walled

ASK_EVERY = 0.2
PATIENCE = 900.0


@dataclass(frozen=True)
class Trial:
    """One image, and the containers that are made of it to look at it. reference: `name:tag`."""

    containers: Containers
    app: App
    reference: str

    @classmethod
    def of(cls, engine: Engine, app: App, reference: str) -> Trial:
        return cls(containers_of(engine, app.name), app, reference)

    @property
    def engine(self) -> Engine:
        return self.containers.engine

    def wanted(self) -> ContainerSpec:
        """What the app will be started as, on a port of its own, for this machine alone. Raises EngineError."""
        return walled(self.app, self.containers.image(self.reference))

    def spec(self) -> ContainerSpec:
        """The same, as far as this engine can set its limits. Raises EngineError."""
        return self.containers.limits().kept(self.wanted())

    @contextlib.contextmanager
    def container(self, spec: ContainerSpec, **changes: object) -> Iterator[str]:
        """The id of a container, not started; it is removed at the end. changes: other keys of the engine's request."""
        body: Body = {**create_body(spec, CHECK), **changes}
        # No app's name holds a dot: this is no name of another app's container.
        name = f"{self.containers.serving}.check-{uuid.uuid4().hex[:8]}"
        with engine_errors(name):
            made = str(self.engine.client.create_container_from_config(body, name=name)["Id"])
        try:
            yield made
        finally:
            self.containers.remove(made)


def containers_of(engine: Engine, app: str) -> Containers:
    """The containers of an app's checks."""
    return Containers(engine, app, CHECK)


@contextlib.contextmanager
def alone(app: str, monitor: Monitor) -> Iterator[None]:
    """No other check of the app on this machine runs meanwhile: waits for one that does. Raises CancelledError.

    Commands of different targets may check the same app, and each removes what it takes for the leftovers of another.
    """
    for _ in monitor.attempts(every=ASK_EVERY, within=PATIENCE):
        try:
            lock = Lock(lock_file(app), "mldeploy check")
            break
        except LockedError:
            monitor.progress(Progress("", "waiting for another check of the same app"))
    else:
        lock = Lock(lock_file(app), "mldeploy check")
    try:
        yield
    finally:
        lock.release(remove=True)


def lock_file(app: str) -> Path:
    """No target's name begins with a dot: it is the lock of no journal."""
    return state_folder() / app / ".check.lock"


def sweep(engine: Engine, app: str) -> bool:
    """Remove what a check left that was killed; True if there was anything. Call it `alone`. Raises EngineError."""
    containers = containers_of(engine, app)
    left = containers.all()
    for each in left:
        containers.remove(each.id)
    return bool(left)
