"""What a container writes is complete, also where the engine ends the stream that follows it too early."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.containers.engine import EngineHost, LogListener
from mldeploy.rehearsal.containers.host import HostContainer, LaunchSpec
from mldeploy.rehearsal.kubernetes import rehearsing as rehearsing_kubernetes
from tests.local.engine_proxy import Call, EngineProxy, Fault, Rule
from tests.rehearsal.available import require_registry
from tests.rehearsal.kubernetes.cluster import Cluster
from tests.rehearsal.kubernetes.test_pods import container as pod_container
from tests.rehearsal.kubernetes.test_pods import ended, log, pod
from tests.sampled import BASE

pytestmark = pytest.mark.engine

FOLLOWING = "GET /containers/ID/logs"
STRUCK = (Fault.EARLY, Fault.CUT, Fault.LOST, Fault.REFUSED)


def first_reading(fault: Fault) -> Rule:
    """Strikes the first reading of each log, which is the one that follows it."""
    readings = 0

    def rule(call: Call) -> Fault | None:
        nonlocal readings
        readings += call.verb == FOLLOWING
        return fault if call.verb == FOLLOWING and readings == 1 else None

    return rule


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineProxy]:
    """A proxy in front of the engine, through which every program of this test speaks to it."""
    with EngineProxy(tmp_path) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.endpoint)
        yield proxy


@pytest.fixture
def start(proxy: EngineProxy) -> Iterator[Callable[[str], HostContainer]]:
    """Starts a container that runs a shell script."""
    engine, started = Engine.connect(), list[HostContainer]()
    assert engine.endpoint == proxy.endpoint
    host = EngineHost(engine)

    def run(script: str) -> HostContainer:
        labels = {"mldeploy.test": uuid.uuid4().hex}
        started.append(host.start(LaunchSpec(BASE, labels, {}, 0, 0, entrypoint=("sh", "-c", script))))
        return started[-1]

    yield run
    for each in started:
        each.remove()
    engine.client.close()


@pytest.mark.parametrize("fault", STRUCK)
def test_lines_that_the_stream_has_lost_are_read_after_the_end(
    proxy: EngineProxy, start: Callable[[str], HostContainer], fault: Fault
) -> None:
    proxy.reset(first_reading(fault))
    lines = list[bytes]()
    running = start("echo one; echo; echo two >&2; printf three")
    listener = LogListener(running, lines.append)
    running.wait()
    listener.wait()
    assert sorted(lines) == [b"", b"one", b"three", b"two"]


def test_no_line_comes_twice(start: Callable[[str], HostContainer]) -> None:
    assert list(start("seq 300; printf end").logs()) == [*(str(each).encode() for each in range(1, 301)), b"end"]


def test_a_pod_that_ends_at_once_has_its_log(proxy: EngineProxy, tmp_path: Path, engine: Engine) -> None:
    require_registry()
    with rehearsing_kubernetes(tmp_path / "kubernetes") as rehearsal, Cluster.of(rehearsal) as cluster:
        cluster.create_space()
        image = cluster.push(engine)
        proxy.reset(first_reading(Fault.EARLY))
        cluster.create("pods", pod(pod_container(image, "echo here")))
        assert ended(cluster)["phase"] == "Succeeded"
        assert log(cluster) == "here\n"
