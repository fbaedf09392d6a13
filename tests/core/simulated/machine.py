"""A user's machine: commands that run one after the other, each as a process of its own that may die."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from mldeploy.core.events import Event, Failed, Finished, Noted, Progressed, Started
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Session, read
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import Kinds, Resource, Step
from mldeploy.core.verbs import Deployed, Destroyed, deploy, destroy
from tests.core.journals import SCOPE
from tests.core.simulated.cloud import Client, Door, Thing, World, open_door
from tests.core.simulated.doors import Death
from tests.core.simulated.steps import KINDS, Config, endpoint, inventory


class Heard:
    """Every event of one command, in the order in which it came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        with self._mutex:
            self.events.append(event)

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Noted)]

    def outcomes(self) -> dict[Resource, list[Finished | Failed]]:
        """How each resource ended, each time. Fails if an end or a progress has no beginning, or a beginning no end."""
        running: set[Resource] = set()
        ends: dict[Resource, list[Finished | Failed]] = {}
        for event in self.events:
            if isinstance(event, Started):
                assert event.resource not in running
                running.add(event.resource)
            elif isinstance(event, Progressed):
                assert event.resource in running
            elif isinstance(event, Finished | Failed):
                running.remove(event.resource)
                ends.setdefault(event.resource, []).append(event)
        assert not running
        return ends


class Machine:
    """Where a user works on one app: a folder for the state, a way to a world.

    After a command has died (it raises Death), the state is exactly what it was at that moment, the dead command's lock
    included: the next command runs on a copy, since this process still holds the original.
    """

    scope = SCOPE

    def __init__(self, folder: Path, world: World, config: Config | None = None) -> None:
        self.world = world
        self.config = config or Config()
        self.cancel = Cancel()  # of the next command
        self.heard = Heard()  # of the last command
        self._base = folder
        self._numbers = itertools.count()
        self._used: list[Path] = []
        self.folder = self._new_folder()

    def _new_folder(self) -> Path:
        self._used.append(self._base / str(next(self._numbers)))
        return self._used[-1]

    def copy(self) -> Machine:
        """The same machine in the same state, in a world of its own."""
        twin = Machine(self._base, self.world.copy(), self.config)
        twin._numbers, twin._used = self._numbers, []
        twin.folder = twin._new_folder()
        if self.folder.exists():
            shutil.copytree(self.folder, twin.folder)
        return twin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave nothing of it on the disk."""
        for folder in self._used:
            shutil.rmtree(folder, ignore_errors=True)

    def deploy(
        self,
        door: Door = open_door,
        *,
        goal: Step[Client, Thing] | None = None,
        sweep: Kinds[Client] | None = KINDS,
        replace: bool = False,
    ) -> Deployed[Thing]:
        with self._process("mldeploy deploy", door) as session:
            return deploy(goal or endpoint(self.config), session, sweep=sweep, replace=replace)

    def destroy(
        self,
        door: Door = open_door,
        *,
        by_name: bool = True,
        by_tag: bool = True,
        kinds: Kinds[Client] = KINDS,
    ) -> Destroyed:
        """Destroy by what the journal lists and, if wanted, by what the graph names and by what the cloud lists."""
        named = [step.resource for step in steps_of(endpoint(self.config))] if by_name else ()
        with self._process("mldeploy destroy", door) as session:
            ask: Callable[[], tuple[Resource, ...]] = (
                (lambda: inventory(session.cloud, self.config.app)) if by_tag else tuple
            )
            return destroy(kinds, session, named=named, inventory=ask)

    def listed(self) -> frozenset[Resource]:
        """What the journal lists."""
        return frozenset(read(self.folder, self.scope))

    def lose_journal(self) -> None:
        """What a fresh runner in CI starts with."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def files(self) -> list[Path]:
        """What is left of us on the disk."""
        return [*self.folder.rglob("*")]

    @contextmanager
    def _process(self, command: str, door: Door) -> Iterator[Session[Client]]:
        self.heard = Heard()
        folder = self.folder
        with Journal(folder, self.scope, command) as journal:
            try:
                yield Session(Client(self.world, door), journal, self.cancel, self.heard)
            except Death:
                self.folder = self._new_folder()
                shutil.copytree(folder, self.folder)
                raise
            finally:
                self.cancel = Cancel()


def foreigners(world: World) -> None:
    """Fill a world with what others have there: of the same kinds, some of the same names, none of it ours."""
    for app, name in (("", "insurance"), ("insurance-2", "insurance"), ("churn", "churn")):
        network = world.create("network", name, app, {})
        firewall = world.create("firewall", name, app, {"port": "22"}, (network.id,))
        unique = name if app == "churn" else f"{name}-{app}"
        cluster = world.create("cluster", unique, app, {"nodes": "9"})
        repository = world.create("repository", unique, app, {})
        image = world.create("image", name, app, {"digest": "sha256:foreign"}, (repository.id,))
        service = world.create("service", unique, app, {}, (image.id, cluster.id, firewall.id))
        world.create("endpoint", name, app, {"scheme": "ftp"}, (service.id,))


def ours(world: World, app: str = "insurance") -> list[tuple[object, ...]]:
    """What a world holds of an app, without the ids, which differ from world to world."""
    things = {each.id: each for each in world.things()}
    return sorted(
        (
            each.kind,
            each.name,
            sorted(each.settings.items()),
            [(things[used].kind, things[used].name, things[used].app) for used in each.uses],
        )
        for each in things.values()
        if each.app == app
    )


def foreign(world: World, app: str = "insurance") -> list[Thing]:
    """What a world holds of others, with every detail."""
    return [each for each in world.things() if each.app != app]
