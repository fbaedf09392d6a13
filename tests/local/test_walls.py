"""What a container may and may not do, and who can read what."""

from __future__ import annotations

import json

import pytest

from mldeploy.app.client import AppClient
from mldeploy.app.container_spec import ENV
from mldeploy.app.containers import Containers
from mldeploy.app.listeners import TABLES, parse_socket_tables
from mldeploy.image.labels import PROXY
from tests.local.world import World

pytestmark = pytest.mark.engine

SECRET = "hunter2-hunter2"


def test_container_has_no_privilege_and_no_limit_is_missing(world: World) -> None:
    world.env(TOKEN=SECRET, PORT="1")
    world.deploy()
    facts = world.get("/facts")
    assert facts["uid"] == 10001
    assert facts["capabilities"] == 0
    assert facts["no_new_privileges"]
    assert not facts["root_writable"]
    assert facts["tmp_writable"]
    assert facts["environment"]["TOKEN"] == SECRET
    assert facts["environment"]["PORT"] == "8000"

    result = world.engine.client.inspect_container(world.serving.id)
    host = result["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (world.project.app.memory,) * 2
    assert (host["NanoCpus"], host["PidsLimit"], host["Init"]) == (10**9, 512, True)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}


def test_proxy_has_no_privilege_and_nobody_on_the_network_can_give_it_routes(world: World) -> None:
    world.deploy()
    result = world.engine.client.inspect_container(world.proxy.id)
    host = result["HostConfig"]
    assert host["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(world.settings.port)}]}
    assert (result["Config"]["User"], host["CapDrop"], host["CapAdd"]) == ("65534:65534", ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"] > 0, host["PidsLimit"], result["Mounts"]) == (True, 64, [])
    containers = Containers(world.engine, world.name, PROXY)
    inside = parse_socket_tables(containers.file(world.proxy.id, *TABLES).splitlines())
    assert [each.port for each in inside.listeners] == [8080]


def test_writable_root_on_request(world: World) -> None:
    world.app(read_only=False)
    world.deploy()
    assert world.serving.spec.read_only is False
    assert world.plan().is_noop


def test_value_of_a_variable_is_in_no_label_no_event_no_journal_and_no_verdict(world: World) -> None:
    world.env(**{"TOKEN": SECRET, "A,B": "odd"})
    world.deploy()
    assert world.plan().is_noop
    labels = world.engine.client.inspect_container(world.serving.id)["Config"]["Labels"]
    assert labels[ENV] == "A,B PORT TOKEN"
    world.env(TOKEN=SECRET, MODE=f"log:could not log in with {SECRET}")
    verdict = world.fail()
    assert "could not log in with [REDACTED]" in str(verdict)
    journal = next((world.folder / "state").rglob("*.journal")).read_text()
    for seen in (json.dumps(labels), repr(world.events), repr(world.project), str(verdict), repr(verdict), journal):
        assert SECRET not in seen


def test_proxy_of_the_environment_is_not_asked_for_what_is_near(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    world.deploy()
    with AppClient(world.url) as app:
        assert app.predict("/predict_api", {}) == {"prediction": 1.5, "version": "1"}
    assert [name for name, _ in world.serving.spec.env] == ["PORT"]
