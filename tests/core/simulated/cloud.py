"""A simulated cloud: it names things, tags them, knows what stands on what, and refuses what real clouds refuse.

A `World` is the cloud itself and outlives every process. A `Client` is one process's way to it: each of its calls goes
through the client's door, where a test can refuse the call, or end the process, before or after the call's effect.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class CloudError(Exception):
    """The cloud did not do what it was asked."""


class ExistsError(CloudError):
    """The name is taken."""


class InUseError(CloudError):
    """Something else stands on it."""


class GoneError(CloudError):
    """It does not exist, or not any more."""


class DeniedError(CloudError):
    """The caller may not even look: whether the thing exists stays unknown."""


@dataclass(frozen=True)
class Thing:
    """One thing in the cloud.

    id: given by the cloud, never reused. app: the tag that says whose it is, empty for none. uses: the ids of what it
    stands on. leaving: its deletion has begun; listings may still show it.
    """

    id: str
    kind: str
    name: str
    app: str
    settings: Mapping[str, str]
    uses: tuple[str, ...] = ()
    leaving: bool = False


class World:
    """The cloud's side. Safe to use from several threads.

    unique: the kinds of which a name exists only once; things of all others may share one, and only their id tells them
    apart. lag: how many listings still miss a new thing, or still show a deleted one. file: where the state is kept,
    so that several processes can use the same world one after the other; read if it exists.
    """

    def __init__(self, *, unique: Collection[str] = (), lag: int = 0, file: Path | None = None) -> None:
        self.lag = lag
        self._unique = frozenset(unique)
        self._file = file
        self._mutex = threading.Lock()
        self._things: dict[str, Thing] = {}
        self._unsettled: dict[str, int] = {}
        self._made = 0
        if file and file.exists():
            self._restore(json.loads(file.read_text()))

    def copy(self) -> World:
        """The same things in another world, in memory."""
        twin = World(unique=self._unique, lag=self.lag)
        with self._mutex:
            twin._made, twin._unsettled, twin._things = self._made, {**self._unsettled}, {**self._things}
        return twin

    def things(self) -> tuple[Thing, ...]:
        """What there is in truth, whatever the listings say."""
        with self._mutex:
            return tuple(thing for thing in self._things.values() if not thing.leaving)

    def listing(self, predicate: Callable[[Thing], bool]) -> tuple[Thing, ...]:
        """What a caller is shown."""
        with self._mutex:
            shown = tuple(thing for thing in [*self._things.values()] if predicate(thing) and self._is_shown(thing))
            self._save()
            return shown

    def create(self, kind: str, name: str, app: str, settings: Mapping[str, str], uses: tuple[str, ...] = ()) -> Thing:
        with self._mutex:
            if kind in self._unique and any((kind, name) == (each.kind, each.name) for each in self._things.values()):
                raise ExistsError(f"{kind} {name} exists")
            self._check_there(uses)
            self._made += 1
            thing = Thing(f"{kind}-{self._made:04d}", kind, name, app, dict(settings), uses)
            self._things[thing.id] = thing
            self._unsettled[thing.id] = self.lag
            self._save()
            return thing

    def change(self, thing: Thing, settings: Mapping[str, str], uses: tuple[str, ...]) -> Thing:
        with self._mutex:
            self._check_there((thing.id, *uses))
            changed = replace(thing, settings={**thing.settings, **settings}, uses=uses)
            self._things[thing.id] = changed
            self._save()
            return changed

    def delete(self, thing: Thing) -> None:
        with self._mutex:
            self._check_there((thing.id,))
            users = [each.id for each in self._things.values() if thing.id in each.uses]
            if users:
                raise InUseError(f"{thing.id} is used by {', '.join(users)}")
            self._things[thing.id] = replace(thing, leaving=True)
            self._unsettled[thing.id] = self.lag
            if not self.lag:
                del self._things[thing.id]
            self._save()

    def _check_there(self, ids: tuple[str, ...]) -> None:
        for each in ids:
            if each not in self._things or self._things[each].leaving:
                raise GoneError(f"{each} does not exist")

    def _is_shown(self, thing: Thing) -> bool:
        left = self._unsettled.get(thing.id, 0)
        self._unsettled[thing.id] = max(0, left - 1)
        if thing.leaving and not left:
            del self._things[thing.id]
        return left > 0 if thing.leaving else left == 0

    def _save(self) -> None:
        if self._file:
            state = {
                "made": self._made,
                "unsettled": self._unsettled,
                "things": [asdict(thing) for thing in self._things.values()],
            }
            draft = self._file.with_suffix(".draft")
            draft.write_text(json.dumps(state))
            draft.replace(self._file)

    def _restore(self, state: dict[str, object]) -> None:
        made, unsettled, things = state["made"], state["unsettled"], state["things"]
        assert isinstance(made, int)
        assert isinstance(unsettled, dict)
        assert isinstance(things, list)
        self._made, self._unsettled = made, unsettled
        self._things = {each["id"]: Thing(**{**each, "uses": tuple(each["uses"])}) for each in things}


@dataclass(frozen=True, order=True)
class Point:
    """A moment in a process's life: before or after the effect of its n-th such call (counted from 1)."""

    operation: str
    kind: str
    name: str
    nth: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.operation} {self.kind} {self.name} #{self.nth}"


Door = Callable[[Point], None]
"""Through which every call goes, before and after its effect. What it raises reaches the caller."""


def open_door(point: Point) -> None:
    """Every call passes."""


class Client:
    """One process's way to the cloud. Safe to use from several threads."""

    def __init__(self, world: World, door: Door = open_door) -> None:
        self._world = world
        self._door = door
        self._mutex = threading.Lock()
        self._calls: Counter[tuple[str, str, str]] = Counter()

    @property
    def lag(self) -> int:
        """How many listings may miss what has just changed: what a cloud's manual says of its consistency."""
        return self._world.lag

    def find(self, kind: str, name: str) -> tuple[Thing, ...]:
        """The things of a kind that bear a name, whoever's they are."""
        return self._call(
            "find", kind, name, lambda: self._world.listing(lambda each: (each.kind, each.name) == (kind, name))
        )

    def tagged(self, app: str) -> tuple[Thing, ...]:
        """Everything that bears an app's tag."""
        return self._call("list", "all", app, lambda: self._world.listing(lambda each: each.app == app))

    def create(self, kind: str, name: str, app: str, settings: Mapping[str, str], uses: tuple[str, ...]) -> Thing:
        return self._call("create", kind, name, lambda: self._world.create(kind, name, app, settings, uses))

    def change(self, thing: Thing, settings: Mapping[str, str], uses: tuple[str, ...]) -> Thing:
        return self._call("change", thing.kind, thing.name, lambda: self._world.change(thing, settings, uses))

    def delete(self, thing: Thing) -> None:
        self._call("delete", thing.kind, thing.name, lambda: self._world.delete(thing))

    def _call(self, operation: str, kind: str, name: str, effect: Callable[[], T]) -> T:
        with self._mutex:
            self._calls[operation, kind, name] += 1
            nth = self._calls[operation, kind, name]
        self._door(Point(operation, kind, name, nth, after=False))
        result = effect()
        self._door(Point(operation, kind, name, nth, after=True))
        return result
