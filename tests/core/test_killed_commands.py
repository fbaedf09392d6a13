"""The same as test_crash.py for a sample of moments, but with real processes that are killed with SIGKILL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.rivals import ROOT
from tests.core.simulated.cloud import World
from tests.core.simulated.doors import Recorder
from tests.core.simulated.machine import Machine, foreign, foreigners, ours
from tests.core.simulated.steps import UNIQUE

SAMPLE = 9


def kill(folder: Path, verb: str, nth: int) -> int:
    """Runs the command up to its n-th passage through the door, and returns the process's id once it is dead."""
    program = [sys.executable, "-m", "tests.core.simulated.process", str(folder), verb, str(nth)]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        process.kill()
    return process.pid


def world_in(folder: Path) -> World:
    return World(unique=UNIQUE, file=folder / "world.json")


def passages(folder: Path, verb: str) -> int:
    recorder, machine = Recorder(), Machine(folder, World(unique=UNIQUE))
    if verb == "destroy":
        machine.deploy()
    (machine.deploy if verb == "deploy" else machine.destroy)(recorder)
    return len(recorder.points)


def check_remedies(state: Path, verb: str, every: int) -> None:
    undisturbed = Machine(state / "undisturbed", World(unique=UNIQUE))
    undisturbed.deploy()
    for nth in range(0, passages(state / "passages", verb), every):
        folder = state / str(nth)
        folder.mkdir()
        world = world_in(folder)
        foreigners(world)
        strangers = foreign(world)
        if verb == "destroy":
            Machine(folder, world).deploy()
        pid = kill(folder, verb, nth)
        dead = Machine(folder, world_in(folder))
        resumed, destroyed = dead.copy(), dead.copy()
        resumed.deploy()
        assert f"process {pid}" in resumed.heard.notes[0], nth
        assert ours(resumed.world) == ours(undisturbed.world), nth
        destroyed.destroy(by_name=False, by_tag=False)
        assert ours(destroyed.world) == [], nth
        assert destroyed.files() == [], nth
        assert foreign(resumed.world) == foreign(destroyed.world) == strangers, nth


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
def test_after_a_kill_every_remedy_works(state: Path, verb: str) -> None:
    check_remedies(state, verb, SAMPLE)


@pytest.mark.exhaustive
@pytest.mark.parametrize("verb", ["deploy", "destroy"])
def test_after_a_kill_at_any_moment_every_remedy_works(state: Path, verb: str) -> None:
    check_remedies(state, verb, 1)
