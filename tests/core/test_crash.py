"""Wherever a command dies, a deploy converges, a destroy leaves nothing of ours, and neither touches what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from mldeploy.core.step import Resource
from tests.core.simulated.cloud import Door, Point, Thing, World, open_door
from tests.core.simulated.doors import Death, DiesAt, Recorder
from tests.core.simulated.machine import Machine, foreign, foreigners, ours
from tests.core.simulated.steps import UNIQUE, Config
from tests.few import few


@dataclass(frozen=True)
class Scenario:
    """A deployment before, the deployment that is wanted now, and the cloud that it meets.

    lag: that of the cloud's listings. borrowed: the repository exists already, made by hand; it is used, never ours.
    """

    now: Config
    before: Config | None = None
    lag: int = 0
    borrowed: bool = False

    def begin(self, folder: Path) -> Machine:
        world = World(unique=UNIQUE, lag=self.lag)
        foreigners(world)
        if self.borrowed:
            world.create("repository", self.now.app, "", {"made": "by hand"})
        machine = Machine(folder, world, self.before or self.now)
        if self.before:
            machine.deploy()
        machine.config = self.now
        return machine

    @property
    def renames(self) -> bool:
        old = self.before or self.now
        return (old.cluster, old.network) != (self.now.cluster, self.now.network)


SCENARIOS = {
    "first": Scenario(Config()),
    "again": Scenario(Config(), before=Config()),
    "changed": Scenario(Config(nodes=3, port=80, digest="sha256:2"), before=Config()),
    "renamed": Scenario(Config(cluster="larger", network="other"), before=Config()),
    "replaced": Scenario(Config(scheme="https"), before=Config()),
    "borrowed": Scenario(Config(), borrowed=True),
    "lagging": Scenario(Config(), lag=2),
    "lagging-renamed": Scenario(Config(cluster="larger", network="other", scheme="https"), before=Config(), lag=2),
}
VERBS = ("deploy", "destroy")


def command(verb: str, machine: Machine, door: Door = open_door) -> None:
    if verb == "deploy":
        machine.deploy(door, replace=True)
    else:
        machine.destroy(door)


@dataclass(frozen=True)
class Truth:
    """What a scenario's world looks like when nothing goes wrong."""

    scenario: Scenario
    things: list[tuple[object, ...]]
    listed: frozenset[Resource]
    strangers: list[Thing]

    @classmethod
    def of(cls, scenario: Scenario, folder: Path) -> Truth:
        machine = scenario.begin(folder)
        strangers = foreign(machine.world)
        machine.deploy(replace=True)
        return cls(scenario, ours(machine.world), machine.listed(), strangers)

    def deploy(self, machine: Machine) -> None:
        """After a death, a deploy reaches exactly the state of one that was not disturbed, and says that it resumes."""
        machine.deploy(replace=True)
        assert ours(machine.world) == self.things
        assert machine.listed() == self.listed
        assert foreign(machine.world) == self.strangers
        assert "did not finish" in machine.heard.notes[0]

    def deploy_without_journal(self, machine: Machine) -> None:
        """What was renamed can then only be found by its tag, which is what `destroy` does."""
        machine.lose_journal()
        machine.deploy(replace=True)
        made = ours(machine.world)
        assert [thing for thing in made if thing in self.things or not self.scenario.renames] == self.things
        assert machine.listed() == self.listed
        assert foreign(machine.world) == self.strangers

    def destroy(self, machine: Machine) -> None:
        machine.destroy()
        self._check_destroyed(machine)

    def destroy_by_the_journal_alone(self, machine: Machine) -> None:
        machine.destroy(by_name=False, by_tag=False)
        self._check_destroyed(machine)

    def destroy_by_tag_alone(self, machine: Machine) -> None:
        machine.lose_journal()
        machine.destroy(by_name=False)
        self._check_destroyed(machine)

    def destroy_by_name_alone(self, machine: Machine) -> None:
        if not self.scenario.renames:  # the graph no longer names what was renamed
            machine.lose_journal()
            machine.destroy(by_tag=False)
            self._check_destroyed(machine)

    def _check_destroyed(self, machine: Machine) -> None:
        assert ours(machine.world) == []
        assert foreign(machine.world) == self.strangers
        assert machine.files() == []


Remedy: TypeAlias = Callable[[Truth, Machine], None]
REMEDIES = (
    Truth.deploy,
    Truth.deploy_without_journal,
    Truth.destroy,
    Truth.destroy_by_the_journal_alone,
    Truth.destroy_by_tag_alone,
    Truth.destroy_by_name_alone,
)
SHARPEST = (Truth.deploy, Truth.destroy_by_the_journal_alone, Truth.destroy_by_tag_alone)


def deaths(before: Machine, verb: str) -> Iterator[tuple[Point, Machine]]:
    """A machine on which the command has died, for each moment of the command."""
    recorder = Recorder()
    command(verb, before.copy(), recorder)
    for point in recorder.points:
        with before.copy() as machine:
            with pytest.raises(Death):
                command(verb, machine, DiesAt(point))
            yield point, machine


def check(truth: Truth, dead: Machine, remedies: Iterable[Remedy], when: str) -> None:
    for remedy in remedies:
        with dead.copy() as machine:
            try:
                remedy(truth, machine)
            except Exception as error:
                error.add_note(f"{remedy.__name__} {when}")
                raise


def eve(scenario: Scenario, verb: str, folder: Path) -> Machine:
    """A machine on which the command may be given."""
    machine = scenario.begin(folder)
    if verb == "destroy":
        machine.deploy(replace=True)
    return machine


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("scenario", few(SCENARIOS.values(), 3), ids=SCENARIOS)
def test_after_any_death_every_remedy_works(scenario: Scenario, verb: str, state: Path) -> None:
    truth = Truth.of(scenario, state / "undisturbed")
    for point, dead in deaths(eve(scenario, verb, state / "crashed"), verb):
        check(truth, dead, REMEDIES, f"after a death {point}")


@pytest.mark.exhaustive
@pytest.mark.parametrize("second", VERBS)
@pytest.mark.parametrize("first", VERBS)
@pytest.mark.parametrize("name", ["first", "renamed", "lagging"])
def test_after_any_two_deaths_the_remedies_work(name: str, first: str, second: str, state: Path) -> None:
    truth = Truth.of(SCENARIOS[name], state / "undisturbed")
    for one, dead in deaths(eve(SCENARIOS[name], first, state / "crashed"), first):
        for two, dead_again in deaths(dead, second):
            check(truth, dead_again, SHARPEST, f"after a death {one} and a death {two}")
