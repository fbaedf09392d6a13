"""Revisions that are containers: they share the traffic, sleep without requests, crash, and say why."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers.models import (
    ContainerAppProbe,
    ContainerAppProbeHttpGet,
    EnvironmentVar,
    HttpScaleRule,
    ScaleRule,
    Secret,
)

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.record import LABEL
from tests.rehearsal.account import eventually
from tests.rehearsal.azure.app_estate import APP, SAYS, AppEstate, weights
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PORT

pytestmark = pytest.mark.engine
SLEEPS = {"min_replicas": 0, "max_replicas": 1}


@pytest.fixture
def shop(alive: Clients, engine: Engine) -> AppEstate:
    eventually(lambda: not running(alive, engine) or None, "nothing of an earlier test")
    return AppEstate.made(alive, engine)


def running(alive: Clients, engine: Engine) -> list[str]:
    """The revisions of the containers that there are."""
    found = engine.client.containers(all=True, filters={"label": f"{LABEL}={alive.rehearsal.record.name}"})
    return [str(each["Labels"].get(f"{LABEL}.revision")) for each in found]


def test_traffic_is_split_by_weight_and_each_revision_answers_at_its_own_address(shop: AppEstate) -> None:
    shop.create()
    assert shop.update("r2", weights(r1=100)).properties.latest_revision_name == f"{APP}--r2"
    assert [shop.get(shop.revision(each).fqdn).text for each in ("r1", "r2")] == ["r1", "r2"]
    assert shop.count(20) == {"r1": 20}
    shop.shift(r1=70, r2=30)
    shared = shop.count(200)
    assert set(shared) == {"r1", "r2"}
    assert 25 <= shared["r2"] <= 100, "30 % of 200, ± 5 standard deviations"
    shop.shift(r1=0, r2=100)
    assert shop.count(20) == {"r2": 20}


def test_a_revision_without_requests_has_no_container_until_one_comes(
    shop: AppEstate, alive: Clients, engine: Engine
) -> None:
    shop.create(scale=SLEEPS)
    alive.rehearsal.scale_down()
    eventually(lambda: not running(alive, engine) or None, "no container")
    assert (shop.revision("r1").replicas, shop.revision("r1").running_state) == (0, "ScaledToZero")
    assert shop.ask().text == "r1"
    assert running(alive, engine) == [f"{APP}--r1"]


@pytest.mark.exhaustive
def test_a_cooldown_period_ends_by_itself(shop: AppEstate, alive: Clients, engine: Engine) -> None:
    shop.create(scale={**SLEEPS, "cooldown_period": 2})
    eventually(lambda: not running(alive, engine) or None, "no container")


def test_no_request_is_lost_while_a_revision_is_replaced_or_restarted(shop: AppEstate) -> None:
    shop.create()
    host, done, answers = shop.host, threading.Event(), list[tuple[int, str]]()

    def ask() -> None:
        while not done.is_set():
            answer = shop.get(host)
            answers.append((answer.status_code, answer.text))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for each in clients:
        each.start()
    revisions = shop.azure.apps.container_apps_revisions
    shop.update("r2", weights(r1=100))
    shop.shift(r2=100)
    revisions.deactivate_revision(GROUP, APP, f"{APP}--r1")
    revisions.restart_revision(GROUP, APP, f"{APP}--r2")
    eventually(lambda: shop.revision("r2").health_state == "Healthy" or None, "a restarted revision")
    done.set()
    for each in clients:
        each.join()
    assert {status for status, _ in answers} == {200}
    assert {"r1", "r2"} == {text for _, text in answers}


def test_a_revision_that_crashes_ends_the_operation_and_says_why(shop: AppEstate) -> None:
    shop.create()
    with pytest.raises(HttpResponseError, match="Error details: Operation expired"):
        shop.update("r2", weights(r1=100), container={"command": ["sh", "-c", "echo no model; exit 3"]})
    revision = shop.revision("r2")
    assert (revision.provisioning_state, revision.health_state, revision.running_state) == (
        "Failed",
        "Unhealthy",
        "Failed",
    )
    assert revision.provisioning_error == (
        "Deployment Progress Deadline Exceeded. 0/1 replicas ready. 1/1 Container crashing: app"
    )
    (replica,) = shop.replicas("r2")
    assert "no model" in shop.stream(replica.properties.containers[0].log_stream_endpoint).text
    assert "Container 'app' was terminated with exit code '3' and reason 'ProcessExited'" in shop.events()
    app: Any = shop.azure.apps.container_apps.get(GROUP, APP)
    assert app.properties.latest_ready_revision_name == f"{APP}--r1"
    assert shop.ask().text == "r1"
    assert shop.get(shop.revision("r2").fqdn).status_code == 503


def test_a_probe_that_fails_for_too_long_fails_the_revision(shop: AppEstate) -> None:
    probe = ContainerAppProbe(
        type="Readiness",
        http_get=ContainerAppProbeHttpGet(path="/nowhere", port=PORT + 1),
        period_seconds=1,
        failure_threshold=2,
    )
    with pytest.raises(HttpResponseError, match="Operation expired"):
        shop.create(container={"probes": [probe]})
    assert shop.revision("r1").provisioning_error.startswith("Deployment Progress Deadline Exceeded. 0/1 replicas")
    assert "Probe of Readiness failed" in shop.events()


def test_a_revision_can_be_deactivated_while_it_is_provisioned(shop: AppEstate) -> None:
    shop.create()
    apps, revisions = shop.azure.apps.container_apps, shop.azure.apps.container_apps_revisions
    spec = shop.app("r2", weights(r1=100), container={"command": ["sleep", "600"]})
    poller = apps.begin_update(GROUP, APP, spec)
    name = f"{APP}--r2"
    eventually(
        lambda: name in [each.name for each in revisions.list_revisions(GROUP, APP)] or None, "a revision that starts"
    )
    assert shop.revision("r2").provisioning_state == "Provisioning"
    revisions.deactivate_revision(GROUP, APP, f"{APP}--r2")
    with pytest.raises(HttpResponseError, match="Operation expired"):
        poller.result()
    assert shop.ask().text == "r1"


def test_a_container_that_ends_is_started_again(shop: AppEstate) -> None:
    shop.create()
    host = shop.host
    (first,) = shop.replicas("r1")
    shop.get(host, "exit")
    eventually(lambda: shop.replicas("r1")[0].properties.containers[0].restart_count == 1 or None, "a restart")
    eventually(lambda: shop.get(host).status_code == 200 or None, "an app that answers again")
    assert [each.name for each in shop.replicas("r1")] == [first.name]
    assert "exit code '7'" in shop.events()


def test_more_requests_than_a_replica_takes_start_another_one(shop: AppEstate) -> None:
    rule = ScaleRule(name="http", http=HttpScaleRule(metadata={"concurrentRequests": "1"}))
    script = SAYS.replace("self.send_response", "__import__('time').sleep(1); self.send_response")
    shop.create(
        scale={"min_replicas": 0, "max_replicas": 2, "rules": [rule]},
        container={"command": ["python3", "-uc", script]},
    )
    host, done = shop.host, threading.Event()
    clients = [threading.Thread(target=lambda: [shop.get(host) for _ in iter(done.is_set, True)]) for _ in range(4)]
    for each in clients:
        each.start()
    shop.scaled("r1", 2)
    done.set()
    for each in clients:
        each.join()
    eventually(lambda: shop.revision("r1").running_state == "RunningAtMaxScale" or None, "two replicas that run")
    shop.azure.rehearsal.scale_down()
    shop.scaled("r1", 0)


def test_secrets_and_what_container_apps_tells_are_in_the_environment(shop: AppEstate) -> None:
    shop.create(
        configuration={"secrets": [Secret(name="token", value="t0p")]},
        container={"env": [EnvironmentVar(name="TOKEN", secret_ref="token")]},
    )
    values = [shop.ask(each).text for each in ("TOKEN", "CONTAINER_APP_NAME", "CONTAINER_APP_REVISION")]
    assert values == ["t0p", APP, f"{APP}--r1"]


def test_a_log_can_be_followed(shop: AppEstate) -> None:
    shop.create()
    (replica,) = shop.replicas("r1")
    container = replica.properties.containers[0]
    token: Any = shop.azure.apps.container_apps.get_auth_token(GROUP, APP)
    headers = {"Authorization": f"Bearer {token.properties.token}"}
    url, bundle = container.log_stream_endpoint, shop.azure.bundle
    with requests.get(url, headers=headers, verify=bundle, stream=True, timeout=120) as answer:
        lines = answer.iter_lines()
        assert "Connecting to the container 'app'" in next(lines).decode()
        assert f"Replica: '{replica.name}'" in next(lines).decode()
        while "listening" not in next(lines).decode():
            pass
        shop.ask()
        while "GET /" not in next(lines).decode():
            pass
    assert requests.get(container.log_stream_endpoint, verify=shop.azure.bundle, timeout=60).status_code == 401
