"""How long a deployment takes, beside the longest chain of steps that must follow one another.

In rehearsal, with the simulators' delays at a hundredth of a cloud's: a cluster takes 3 s (of 300), a task some tenths
of a second. Building and pushing are real. If everything that can run at the same time does, the whole takes as long as
the longest chain.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docker import APIClient

from bench.figures import Figures
from mldeploy.check.push_check import gate_pushes
from mldeploy.cli.deployment import as_registry, as_runtime
from mldeploy.config.target import TargetSettings
from mldeploy.core import verbs
from mldeploy.core.events import Event, Finished
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import Gates, Resource, Step
from mldeploy.providers import registry
from mldeploy.rehearsal.aws import rehearsing as rehearse_aws
from mldeploy.rehearsal.client import Rehearsal
from mldeploy.rehearsal.gcp import rehearsing as rehearse_gcp
from mldeploy.testing.sample import SampleApp, SampleVersion, sample_app

BASE = "mldeploy/python:3.11-slim"
WALL, CHAIN, AGAIN, WRITES = "deploy", "longest chain of its steps", "deploy again", "writing calls of the latter"
SIMULATORS: Mapping[str, tuple[Callable[..., AbstractContextManager[Rehearsal]], float]] = {
    "fargate": (rehearse_aws, 0.2),
    "gke": (rehearse_gcp, 0.6),
}
"""By target: its simulator, and the seconds of a phase there. Creating a cluster takes five phases."""


@dataclass(frozen=True)
class Rehearsed:
    """An app, and a target on a simulator."""

    app: SampleApp
    provider: registry.AnyProvider
    settings: TargetSettings
    simulator: Rehearsal
    state: Path

    def deploy(self) -> tuple[float, float]:
        """Deploy once. Return the seconds that it took, and those of the longest chain."""
        project = self.app.project
        goal = as_runtime(self.provider).goal(project, self.settings)
        gates = gate_pushes(goal, as_registry(self.provider).push(project, self.settings).resource)
        times: dict[Resource, float] = {}

        def note(event: Event) -> None:
            if isinstance(event, Finished):
                times[event.resource] = event.seconds

        begun = time.perf_counter()
        cloud = self.provider.connect(project, self.settings, self.simulator.endpoints)
        scope = Scope(project.app.name, self.provider.name, self.provider.place(cloud))
        with Journal(self.state, scope, "bench") as journal:
            verbs.deploy(goal, Session(cloud, journal, Cancel(), note), gates=gates, sweep=self.provider.kinds)
        return time.perf_counter() - begun, longest_chain(goal, gates, times)


def longest_chain(goal: Step[Any, object], gates: Gates[Any], seconds: Mapping[Resource, float]) -> float:
    """The largest sum of seconds along the needs of a graph."""
    ends: dict[Step[Any, object], float] = {}
    for step, needs in steps_of(goal, gates).items():
        ends[step] = seconds.get(step.resource, 0.0) + max((ends[need] for need in needs), default=0.0)
    return max(ends.values())


def measure(_: APIClient, rounds: int) -> Figures:
    """Deploy to an empty account, and again, on each target."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        for target in SIMULATORS:
            with prepared(target, Path(folder) / target) as rehearsed:
                for number in range(rounds):
                    _measure_round(rehearsed, number, figures)
    return figures


def _measure_round(rehearsed: Rehearsed, number: int, figures: Figures) -> None:
    target, simulator = rehearsed.provider.name, rehearsed.simulator
    simulator.reset()
    rehearsed.app.write(replace(SampleVersion(), code=f"round {number}"))
    wall, chain = rehearsed.deploy()
    figures.add(WALL, target, wall)
    figures.add(CHAIN, target, chain)
    before = len(simulator.calls())
    figures.add(AGAIN, target, rehearsed.deploy()[0])
    figures.add(WRITES, target, sum(call.writing for call in simulator.calls()[before:]))


@contextmanager
def prepared(target: str, folder: Path) -> Iterator[Rehearsed]:
    """The app and the simulator of a target, until the block ends."""
    folder.mkdir()
    provider = registry.find(target)
    start, pace = SIMULATORS[target]
    with sample_app(folder / "app", BASE) as app, start(folder / "simulator", pace=pace) as simulator:
        yield Rehearsed(app, provider, provider.settings.model_validate({}), simulator, folder / "state")
