"""An app that an earlier mldeploy let publish its port itself gets a proxy at its next deployment."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import replace
from threading import Thread

import pytest

from mldeploy.app.containers import Containers
from mldeploy.core.events import ignore
from mldeploy.providers.errors import NotRestoredError, PortTakenError
from mldeploy.providers.local import provider
from mldeploy.providers.local.proxy import ProxyContainers
from tests.local.test_checks import look
from tests.local.world import World, is_draining

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("direct")]


@pytest.fixture
def direct(world: World) -> Containers:
    """The app's containers, as an earlier version left them."""
    world.deploy()
    containers, proxies = Containers(world.engine, world.name), ProxyContainers.of(world.engine, world.name)
    spec = replace(world.serving.spec, host_port=world.settings.port or 0)
    containers.remove(world.serving.id)
    containers.remove(world.proxy.id)
    proxies.network.remove()
    containers.start(containers.create(containers.serving, spec))
    world.await_answer()
    return containers


def test_it_is_shown_as_it_is_and_taken_over_with_a_gap_that_is_said(world: World) -> None:
    service = provider.service(world.cloud, world.project, world.settings)
    assert service.url() == world.url
    assert [each.url for each in service.instances()] == [world.url]
    assert "adds it" in look(world)["proxy"].todo
    before = world.serving
    assert world.plan().is_noop
    world.target(restart="always")
    assert world.deploy().out.url == world.url
    assert world.serving.id == before.id, "a deployment without a change makes no gap"

    world.env(VERSION="1b")
    assert "port published by the app's container → by a proxy" in world.drift
    taken = world.deploy()
    assert taken.out.url == world.url
    assert taken.out.gap_seconds
    (remark,) = taken.out.remarks
    assert remark.endswith("From now on a proxy holds it")
    assert world.version == "1b"
    assert world.proxy.running
    assert world.plan().is_noop
    world.env(VERSION="2")
    assert world.deploy().out.gap_seconds == 0.0
    assert world.version == "2"


def test_version_that_cannot_be_taken_over_keeps_its_port(world: World) -> None:
    before = world.serving
    world.env(MODE="exit:1")
    world.fail()
    assert world.serving == before
    assert world.version == "1"


@pytest.mark.exhaustive
def test_port_that_another_program_takes_in_the_gap_is_given_back(world: World, direct: Containers) -> None:
    before = world.serving
    world.env(VERSION="2")
    thief = PortThief(world, seconds=1.0)
    error = world.fail()
    thief.join()
    assert isinstance(error, PortTakenError)
    assert direct.present(before.id).running
    assert world.version == "1"
    world.on_event = ignore
    world.deploy()
    assert world.plan().is_noop


@pytest.mark.exhaustive
def test_version_that_nobody_can_start_again_is_said_to_be_down(world: World) -> None:
    """The port is taken in the gap, for longer than one waits for it; the next deployment makes it good."""
    world.env(VERSION="2")
    thief = PortThief(world)
    error = world.fail()
    thief.join()
    assert isinstance(error, NotRestoredError)
    assert "The old version could not be restored" in error.what
    thief.release()
    world.on_event = ignore
    world.deploy()
    assert world.version == "2"
    assert world.plan().is_noop


class PortThief(Thread):
    """Takes the port as soon as the old version has let it go, and keeps it for some seconds, or until `release`."""

    def __init__(self, world: World, seconds: float = 0.0) -> None:
        super().__init__()
        self._address, self._seconds = ("127.0.0.1", world.settings.port or 0), seconds
        self._taken: socket.socket | None = None
        world.on_event = lambda event: self.start() if is_draining(event) else None

    def run(self) -> None:
        while not self._taken:
            with contextlib.suppress(OSError):
                self._taken = socket.create_server(self._address)
        if self._seconds:
            time.sleep(self._seconds)
            self.release()

    def release(self) -> None:
        if self._taken:
            self._taken.close()
