"""Any sequence of commands, deaths, failures, stops, renames and lost journals ends well."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mldeploy.core.errors import MldeployError
from mldeploy.core.journal import read
from tests.core.patience import unhurried
from tests.core.places import memory
from tests.core.simulated.cloud import CloudError, Door, Point, Thing, World, open_door
from tests.core.simulated.doors import Death, DiesAt, FailsAt, StopsAt
from tests.core.simulated.machine import Machine, foreign, foreigners, ours
from tests.core.simulated.steps import KINDS, UNIQUE, Config, image

names = st.sampled_from(["insurance", "larger", "other"])
configs = st.builds(
    Config,
    cluster=names,
    network=names,
    firewall=names,
    nodes=st.integers(1, 3),
    digest=st.sampled_from(["sha256:1", "sha256:2"]),
    scheme=st.sampled_from(["http", "https"]),
)
points = st.builds(
    Point,
    st.sampled_from(["find", "create", "change", "delete"]),
    st.sampled_from(sorted(KINDS)),
    names,
    st.integers(1, 3),
    st.booleans(),
)
troubles = st.sampled_from(["none", "death", "failure", "stop"])


class Life(RuleBasedStateMachine):
    """One user, one app, one cloud."""

    @initialize(lag=st.integers(0, 2), borrowed=st.booleans())
    def begin(self, lag: int, *, borrowed: bool) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="mldeploy-", dir=memory())
        world = World(unique=UNIQUE, lag=lag)
        foreigners(world)
        if borrowed:
            world.create("repository", "insurance", "", {"made": "by hand"})
        self.empty = world.copy()
        self.strangers: list[Thing] = foreign(world)
        self.machine = Machine(Path(self.folder.name), world)
        self.is_journal_whole = True

    def door(self, trouble: str, point: Point) -> Door:
        match trouble:
            case "death":
                return DiesAt(point)
            case "failure":
                return FailsAt(point, CloudError("reset"))
            case "stop":
                return StopsAt(point, self.machine.cancel)
        return open_door

    @rule(config=configs, trouble=troubles, point=points)
    def deploy(self, config: Config, trouble: str, point: Point) -> None:
        self.machine.config = config
        with contextlib.suppress(Death, MldeployError):
            self.machine.deploy(self.door(trouble, point), replace=True)

    @rule(config=configs, trouble=troubles, point=points)
    def push(self, config: Config, trouble: str, point: Point) -> None:
        with contextlib.suppress(Death, MldeployError):
            self.machine.deploy(self.door(trouble, point), goal=image(config), sweep=None)

    @rule(trouble=troubles, point=points)
    def destroy(self, trouble: str, point: Point) -> None:
        with contextlib.suppress(Death, MldeployError, CloudError):
            self.machine.destroy(self.door(trouble, point))

    @rule()
    def lose_the_journal(self) -> None:
        self.machine.lose_journal()
        self.is_journal_whole = False

    @invariant()
    def strangers_are_untouched(self) -> None:
        assert foreign(self.machine.world) == self.strangers

    @invariant()
    def the_journal_lists_all_that_is_ours(self) -> None:
        if self.is_journal_whole:
            listed = {(each.kind, each.key.name) for each in read(self.machine.folder, self.machine.scope)}
            things = {(each.kind, each.name) for each in self.machine.world.things() if each.app == "insurance"}
            assert things <= listed

    def teardown(self) -> None:
        with self.folder:
            self.machine.deploy(replace=True)
            fresh = Machine(Path(self.folder.name) / "fresh", self.empty, self.machine.config)
            fresh.deploy()
            made, expected = ours(self.machine.world), ours(fresh.world)
            # What was renamed before the journal was lost can only be found by its tag.
            assert (made if self.is_journal_whole else [thing for thing in made if thing in expected]) == expected
            self.machine.destroy()
            assert ours(self.machine.world) == []
            assert self.machine.files() == []
            self.strangers_are_untouched()


class LongLife(Life):
    """Longer, and of more users."""


TestLife = Life.TestCase
TestLife.settings = settings(unhurried, max_examples=60, stateful_step_count=12)
TestLongLife = pytest.mark.exhaustive(LongLife.TestCase)
TestLongLife.settings = settings(unhurried, max_examples=1000, stateful_step_count=25)
