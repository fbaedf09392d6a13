"""Wherever a rollout is cut short, the next deployment repairs it, and something answers as soon as it can."""

from __future__ import annotations

import pytest

from mldeploy.app.containers import Containers
from mldeploy.app.verdict import VerdictError
from mldeploy.providers.local.rollout import without_restart
from tests.local.world import World

pytestmark = pytest.mark.engine


@pytest.fixture
def containers(world: World) -> Containers:
    return Containers(world.engine, world.name)


def test_leftover_candidate_is_named_and_removed(world: World, containers: Containers) -> None:
    world.deploy()
    before = world.serving
    containers.start(containers.create(containers.candidate, without_restart(before.spec)))
    assert world.drift == (f"leftover container {containers.candidate} → removed",)
    world.deploy()
    assert world.serving == before


def test_new_version_that_had_the_port_already_is_kept(world: World, containers: Containers) -> None:
    world.deploy()
    old = world.serving
    containers.stop(old)
    new = containers.create(containers.next, without_restart(old.spec))
    containers.start(new)
    world.deploy()
    assert world.serving.id == new
    assert world.serving.spec.restart == "unless-stopped"


def test_new_version_that_had_outlived_the_old_one_is_kept(world: World, containers: Containers) -> None:
    world.deploy()
    containers.rename(world.serving.id, containers.next)
    new = world.containers[0].id
    world.deploy()
    assert world.serving.id == new


@pytest.mark.parametrize("started", [False, True])
def test_old_version_answers_again_even_if_the_new_one_is_broken(
    world: World, containers: Containers, started: bool
) -> None:
    """The crash came after the old version was stopped: that is mended before anything is tried."""
    world.deploy()
    old = world.serving
    containers.stop(old)
    world.env(MODE="exit:1", VERSION="2")
    new = containers.create(containers.next, without_restart(old.spec))
    if started:
        containers.start(new)
        containers.stop(containers.present(new))
    assert isinstance(world.fail(), VerdictError)
    assert world.serving.id == old.id
    assert world.version == "1"
    assert any("It is started again first" in note for note in world.notes)


def test_destroy_removes_what_a_crash_left(world: World, containers: Containers) -> None:
    world.deploy()
    spec = world.serving.spec
    containers.create(containers.candidate, without_restart(spec))
    containers.create(containers.next, without_restart(spec))
    world.destroy()
    assert world.containers == ()
