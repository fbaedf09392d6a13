"""What runs of an app: its copies, its address, its log; and stopping it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mldeploy.core.events import Action, ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.base import Service
from mldeploy.providers.capabilities import CanExec, Streams
from mldeploy.providers.errors import AbsentError, WrongTargetError
from mldeploy.providers.local import provider
from mldeploy.testing.promises import Promise, proves, refuses
from tests.local.world import MIB, World, actions

pytestmark = pytest.mark.engine

ONE_MACHINE = "One machine has nothing to scale to. `workers` in `[app]` says how many processes serve."


@pytest.fixture
def service(world: World) -> Service:
    return provider.service(world.cloud, world.project, world.settings)


def test_nothing_runs(service: Service) -> None:
    assert service.instances() == ()
    assert service.url() is None
    assert service.stop() is False
    with pytest.raises(AbsentError):
        next(service.logs(follow=True, tail=0))


@pytest.mark.usefixtures("impatient")
@proves(Promise.STOP, targets=("local",))
def test_one_copy_runs_until_it_is_stopped_and_again_after_a_deployment(world: World, service: Service) -> None:
    world.deploy()
    (copy,) = service.instances()
    assert (copy.name, copy.image, copy.state, copy.url) == (
        f"mldeploy-{world.name}",
        f"{world.name}:1",
        "running",
        world.url,
    )
    assert copy.health == "healthy"
    world.get("/hang")
    assert service.instances()[0].health == "unhealthy"
    assert MIB < copy.memory < world.project.app.memory
    assert service.url() == world.url

    assert service.stop() is True
    assert service.stop() is False
    assert service.url() is None
    (copy,) = service.instances()
    assert (copy.state, copy.health, copy.memory, copy.url) == ("exited", "", 0, "")
    assert "version 1: listening on 0.0.0.0:8000" in service.logs(follow=False, tail=0)

    assert actions(world.deploy())["container"] is Action.UPDATED
    assert service.url() == world.url


@proves(Promise.HISTORY, targets=("local",))
def test_history_names_the_images_and_a_rollback_runs_an_earlier_one(world: World, service: Service) -> None:
    assert service.releases() == ()
    world.deploy()
    (first,) = service.releases()
    assert (first.revision, first.image, first.state, first.url) == ("1", f"{world.name}:1", "serving", world.url)
    assert first.created
    with pytest.raises(AbsentError, match="no earlier release"):
        service.rollback(None, quiet(world))

    world.tag = "2"
    world.env(VERSION="2")
    world.deploy()
    assert [(each.revision, each.state) for each in service.releases()] == [("2", "serving"), ("1", "old")]
    with pytest.raises(AbsentError, match=r"no revision 3\nThere are: 2, 1\."):
        service.rollback("3", quiet(world))
    back = service.rollback(None, quiet(world))
    assert (back.url, back.image.reference, back.gap_seconds) == (world.url, f"{world.name}:1", 0.0)
    assert world.serving.spec.image == f"{world.name}:1"
    assert world.version == "2", "the environment stays as it is"
    assert [(each.revision, each.state) for each in service.releases()] == [("1", "serving"), ("2", "old")]
    assert service.rollback("2", quiet(world)).image.reference == f"{world.name}:2"
    assert world.plan().is_noop

    world.engine.client.remove_image(f"{world.name}:1", force=True)
    assert [each.revision for each in service.releases()] == ["2"]
    service.stop()
    assert [(each.state, each.url) for each in service.releases()] == [("old", "")]


@refuses(ONE_MACHINE, Promise.SCALE, targets=("local",))
def test_scale_is_refused(world: World, service: Service) -> None:
    with pytest.raises(WrongTargetError, match="runs a single replica"):
        service.scale(2, quiet(world))


def quiet(world: World) -> Monitor:
    return Monitor(Resource("service", Key(world.name)), ignore, Cancel())


@proves(Promise.EXEC, targets=("local",))
def test_command_runs_in_the_serving_container(world: World, service: Service) -> None:
    assert isinstance(service, CanExec)
    out, err = bytearray(), bytearray()
    pieces = [b"some ", b"input\n", b""]
    streams = Streams(out.extend, err.extend, lambda _: pieces.pop(0))
    with pytest.raises(AbsentError):
        service.execute(["true"], "", streams)
    world.env(VERSION="7")
    world.deploy()
    script = 'read line; echo "$line $VERSION"; echo oh no >&2; exit 3'
    assert service.execute(["sh", "-c", script], f"mldeploy-{world.name}", streams) == 3
    assert (bytes(out), bytes(err)) == (b"some input 7\n", b"oh no\n")
    with pytest.raises(AbsentError, match="no running instance other"):
        service.execute(["true"], "other", streams)


def test_log_has_its_last_lines(world: World, service: Service) -> None:
    world.deploy()
    for number in range(5):
        world.get(f"/number/{number}")
    until_said(service, "/number/4")
    lines = list(service.logs(follow=False, tail=2))
    assert [line.split('"')[1] for line in lines] == ["GET /number/3 HTTP/1.1", "GET /number/4 HTTP/1.1"]
    assert len(list(service.logs(follow=False, tail=0))) > 5


def until_said(service: Service, words: str) -> None:
    """Return once the log has them: an answer may be here before the engine has kept what was printed before it."""
    assert any(words in line for line in service.logs(follow=True, tail=0))


@proves(Promise.LOGS, targets=("local",))
def test_log_that_is_followed_goes_on_with_the_next_version_and_ends_with_the_app(
    world: World, service: Service
) -> None:
    world.deploy()
    heard: list[str] = []
    arrived = threading.Condition()

    def listen(lines: Iterator[str]) -> None:
        for line in lines:
            with arrived:
                heard.append(line)
                arrived.notify()

    def wait_for(text: str) -> None:
        with arrived:
            assert arrived.wait_for(lambda: any(text in line for line in heard), timeout=300), heard

    listener = threading.Thread(target=listen, args=[service.logs(follow=True, tail=0)])
    listener.start()
    wait_for("version 1: listening")
    world.env(VERSION="2")
    world.deploy()
    world.get("/hello")
    wait_for('version 2: "GET /hello')
    world.destroy()
    listener.join(300)
    assert not listener.is_alive()
    assert not any("/hello" in line for line in heard if line.startswith("version 1"))


def test_log_that_is_followed_is_let_go(world: World, service: Service) -> None:
    """As by Ctrl-C: closing the generator closes its connection."""
    world.deploy()
    lines = service.logs(follow=True, tail=1)
    assert next(lines)
    assert isinstance(lines, Iterator)
    lines.close()  # type: ignore[attr-defined]  # what a `for` loop does when it is left by an exception
    assert list(lines) == []
