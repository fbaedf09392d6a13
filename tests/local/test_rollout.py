"""What a deployment on this machine does to what it meets there."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests

from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.events import Action, Event, Noted
from mldeploy.core.monitor import Cancel
from mldeploy.testing.promises import Promise, proves
from tests.local.world import MIB, World, actions, is_draining, is_switching

pytestmark = pytest.mark.engine

CREATED = {"container": Action.CREATED, "endpoint": Action.CREATED}
UPDATED = {"container": Action.UPDATED, "endpoint": Action.UPDATED}
UNCHANGED = {"container": Action.UNCHANGED, "endpoint": Action.UNCHANGED}
MENDED = {"container": Action.UPDATED, "endpoint": Action.UNCHANGED}


@proves(Promise.INDEPENDENT, targets=("local",))
def test_first_deployment_answers_at_its_url_and_the_second_changes_nothing(world: World) -> None:
    first = world.deploy()
    assert first.out.url == world.url
    assert first.out.gap_seconds is None
    assert world.version == "1"
    assert actions(first) == CREATED

    before = world.serving
    assert actions(world.deploy()) == UNCHANGED
    assert world.plan().is_noop
    assert world.serving == before


def test_old_version_finishes_what_it_has_accepted_while_the_new_one_answers(world: World) -> None:
    world.deploy()
    before, proxy = world.serving, world.proxy
    slow: list[Future[requests.Response]] = []
    answered: list[str] = []
    with ThreadPoolExecutor(max_workers=8) as pool:

        def keep_it_busy(event: Event) -> None:
            if is_switching(event):
                slow.extend(pool.submit(requests.get, f"{world.url}/slow?seconds=1", timeout=30) for _ in range(6))
                while world.get("/accepted") < 6:
                    time.sleep(0.01)
            elif is_draining(event):
                answered.append(world.version)

        world.on_event = keep_it_busy
        world.env(VERSION="2")
        second = world.deploy()
    assert [each.result().json()["version"] for each in slow] == ["1"] * 6
    assert answered == ["2"]
    assert actions(second) == UPDATED
    assert (second.out.gap_seconds, second.out.remarks) == (0.0, ())
    assert world.serving.spec.restart == "unless-stopped"
    assert world.serving.id != before.id
    assert world.proxy == proxy, "it is not restarted"


def test_every_difference_is_named_before_it_is_mended(world: World) -> None:
    world.deploy()
    world.tag = "2"
    assert world.drift == (f"image {world.name}:1 → the one to be built",)
    world.app(memory=96 * MIB, cpus=0.5, read_only=False)
    world.env(TOKEN="a secret", VERSION="2")
    world.target(pids_limit=64, restart="no", stop_timeout=4)
    done = world.deploy()
    assert set(world.mended) == {
        f"image {world.name}:1 → {world.name}:2",
        "memory 128 MiB → 96 MiB",
        "CPUs 1 → 0.5",
        "process limit 512 → 64",
        "restart policy unless-stopped → no",
        "stop timeout 5 s → 4 s",
        "root file system read-only → writable",
        "environment changed: TOKEN, VERSION",
    }
    assert actions(done) == UPDATED
    assert world.plan().is_noop


def test_restart_policy_changes_without_a_new_container(world: World) -> None:
    world.deploy()
    before = world.serving
    world.target(restart="always")
    assert actions(world.deploy()) == MENDED
    assert (world.serving.id, world.serving.spec.restart) == (before.id, "always")


def test_moving_to_another_port_leaves_no_gap(world: World, free_port: Callable[[], int]) -> None:
    world.deploy()
    old = world.url
    world.target(port=free_port())
    moved = world.deploy()
    assert world.version == "1"
    assert (moved.out.gap_seconds, moved.out.remarks) == (None, (f"moved from {old}",))
    with pytest.raises(requests.ConnectionError):
        requests.get(old, timeout=60)
    assert world.serving.running


def test_port_0_chooses_a_port_once_and_keeps_it(world: World) -> None:
    world.target(port=0)
    url = world.deploy().out.url
    assert requests.get(url, timeout=60).ok
    assert actions(world.deploy()) == UNCHANGED
    world.env(VERSION="2")
    assert world.deploy().out.url == url
    assert requests.get(url, timeout=60).json()["version"] == "2"


def test_address_open_to_others_gets_a_warning(world: World) -> None:
    world.deploy()
    world.target(host="0.0.0.0")
    assert world.drift == ("address 127.0.0.1 → 0.0.0.0",)
    world.deploy()
    assert any(isinstance(event, Noted) and event.warning and "0.0.0.0" in event.text for event in world.events)
    assert requests.get(world.url.replace("127.0.0.1", "127.0.0.2"), timeout=60).ok


def test_what_was_stopped_is_started_again(world: World) -> None:
    world.deploy()
    world.engine.client.kill(world.serving.id)
    assert world.drift == ("exited (exit code 137) → running",)
    assert actions(world.deploy()) == UPDATED
    assert world.serving.spec.restart == "unless-stopped"
    assert world.version == "1"


@pytest.mark.exhaustive
def test_routes_outlive_a_restart_of_both_containers(world: World) -> None:
    """As when the engine or the machine starts again: in whatever order, at whatever address."""
    world.env(VERSION="2")
    world.deploy()
    client = world.engine.client
    client.kill(world.proxy.id)
    client.restart(world.serving.id, timeout=0)
    client.start(world.proxy.id)
    world.await_answer()
    assert world.version == "2"
    assert world.plan().is_noop


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["paused", "hung"])
def test_app_that_hangs_is_replaced(world: World, how: str) -> None:
    world.target(stop_timeout=1)
    world.deploy()
    if how == "paused":
        world.engine.client.pause(world.containers[0].id)
    else:
        world.get("/hang")
    world.deploy()
    (drift,) = world.mended
    assert drift.startswith("paused" if how == "paused" else "health check fails (no answer in time")
    assert world.version == "1"
    assert world.plan().is_noop
    assert world.serving.running


@pytest.mark.exhaustive
def test_app_that_is_slow_to_start_is_waited_for(world: World) -> None:
    """It opens another port first and computes: that alone is no reason to give it up."""
    world.env(MODE="metrics:5")
    world.deploy()
    assert world.version == "1"


def test_interruption_leaves_the_old_version_and_nothing_else(world: World) -> None:
    world.deploy()
    before = world.serving
    cancel = Cancel()

    def interrupt(event: Event) -> None:
        if is_switching(event):
            cancel.request()

    world.on_event = interrupt
    world.env(VERSION="2")
    with pytest.raises(InterruptedByUser):
        world.deploy(cancel)
    assert world.version == "1"
    assert world.serving.id == before.id
    assert world.journalled

    world.on_event = lambda _: None
    world.deploy()
    assert world.version == "2"


@proves(Promise.TEARDOWN, targets=("local",))
def test_destroy_leaves_nothing(world: World) -> None:
    world.deploy()
    assert {each.kind for each in world.destroy().removed} == {"container", "image"}
    assert world.leftovers == []
    assert world.engine.client.images(filters={"label": f"mldeploy.app={world.name}"}) == []
    assert list((world.folder / "state").iterdir()) == []
    assert world.destroy().removed == ()
