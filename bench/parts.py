"""The parts of `make bench`: each can be measured alone, and keeps its figures in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from docker import APIClient

from bench import building, commands, deploying, serving
from bench.figures import Figures


@dataclass(frozen=True)
class Part:
    """measure: takes the engine and the number of rounds. minutes: about how long they take on two quiet cores.

    programs: what has to be installed for it.
    """

    name: str
    measure: Callable[[APIClient, int], Figures]
    rounds: int
    minutes: int
    programs: tuple[str, ...] = ()


PARTS = (
    Part("cli", commands.measure, 7, 2),
    Part("image", building.against_tutorials, 5, 7, ("docker",)),
    Part("serving", serving.measure, 5, 7, ("docker", "wrk")),
    Part("deploy", deploying.measure, 5, 3, ("docker",)),
    Part("peers", building.against_peers, 2, 8, ("docker",)),
)
