"""A command in a process of its own: `python -m tests.core.simulated.process FOLDER wait|deploy|destroy [POINT]`.

The world is in FOLDER/world.json. At the point (a number: that of the call's passage through the door) the process says
`here` and that thread goes no further; it is up to the parent to kill it. `wait` is a deploy with a step that waits for
hours; Ctrl-C requests a stop. At its end the process says how it ended: `done`, or the name of the error.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from mldeploy.core.errors import MldeployError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Outputs, Seen
from tests.core.simulated.cloud import Client, Door, Point, Thing, World, open_door
from tests.core.simulated.machine import Machine
from tests.core.simulated.steps import UNIQUE, Cluster, Config, endpoint


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class EndlessCluster(Cluster):
    """Is made, and never ready."""

    def apply(self, cloud: Client, outs: Outputs, seen: Seen[Thing] | None, monitor: Monitor) -> Thing:
        thing = super().apply(cloud, outs, seen, monitor)
        say("here")
        monitor.wait(36_000)
        return thing


def halts_at(nth: int) -> Door:
    passages = itertools.count()

    def door(_: Point) -> None:
        if next(passages) == nth:
            say("here")
            threading.Event().wait()

    return door


def run(machine: Machine, verb: str, door: Door) -> None:
    if verb == "wait":
        signal.signal(signal.SIGINT, lambda *_: machine.cancel.request())
        goal = endpoint(Config())
        endless = EndlessCluster("insurance", "insurance", 2)
        machine.deploy(goal=replace(goal, service=replace(goal.service, cluster=endless)))
    elif verb == "deploy":
        machine.deploy(door)
    else:
        machine.destroy(door)


def main(folder: Path, verb: str, nth: int | None) -> None:
    machine = Machine(folder, World(unique=UNIQUE, file=folder / "world.json"))
    try:
        run(machine, verb, open_door if nth is None else halts_at(nth))
        say("done")
    except MldeployError as error:
        say(type(error).__name__)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
