"""Pods that are containers: what they are given, how they end, and that nobody notices a rollout."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
import requests
from kubernetes import client
from kubernetes.stream import portforward, stream

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.record import LABEL
from tests.rehearsal.kubernetes.cluster import APP, PORT, SERVE, SPACE, Cluster, deployment, eventually, service

pytestmark = pytest.mark.engine

_GENTLE = """
import http.server, signal, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""


@pytest.fixture
def image(real: Cluster, engine: Engine) -> str:
    real.create_space()
    return real.push(engine)


def serving(image: str, script: str = SERVE, **container: Any) -> dict[str, Any]:
    made = deployment(image, command=["sh", "-c", script], **container)
    made["spec"]["replicas"] = 1
    return made


def containers(real: Cluster, engine: Engine, pod: Any) -> list[str]:
    """The ids of a Pod's containers."""
    labels = [f"{LABEL}={real.rehearsal.record.name}", f"{LABEL}.pod={pod['metadata']['name']}"]
    return [str(each["Id"]) for each in engine.client.containers(all=True, filters={"label": labels})]


def test_a_container_is_what_its_specification_says(real: Cluster, image: str, engine: Engine) -> None:
    security = {"runAsNonRoot": True, "runAsUser": 10001, "readOnlyRootFilesystem": True}
    real.apply("deployments", serving(image, env=[{"name": "A", "value": "1"}], securityContext=security))
    real.completed()
    (pod,) = real.list("pods")
    core = client.CoreV1Api(real.api)
    made = stream(
        core.connect_get_namespaced_pod_exec,
        pod["metadata"]["name"],
        SPACE,
        command=["sh", "-c", "id -u; echo $A; touch /x || echo read-only"],
        stdout=True,
        stderr=False,
        stdin=False,
        tty=False,
        _preload_content=False,
    )
    made.run_forever(timeout=300)
    made.sock.shutdown()  # the SDK does not close it after a close frame
    output = made.read_all()
    assert output.split() == ["10001", "1", "read-only"]
    (container,) = containers(real, engine, pod)
    assert container in pod["status"]["containerStatuses"][0]["containerID"]


def test_a_port_can_be_reached_through_the_api_server(real: Cluster, image: str) -> None:
    real.apply("deployments", serving(image))
    real.completed()
    (pod,) = real.list("pods")
    core = client.CoreV1Api(real.api)
    way = portforward(core.connect_get_namespaced_pod_portforward, pod["metadata"]["name"], SPACE, ports=str(PORT))
    connection = way.socket(PORT)
    connection.settimeout(300)
    connection.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
    answer = b"".join(
        iter(lambda: connection.recv(4096), b"")
    )  # to its end: the SDK's thread stumbles over what is left
    assert answer.startswith(b"HTTP/1.0 200")
    connection.close()
    for each in threading.enumerate():
        if each.name.startswith("Kubernetes port forward proxy"):
            each.join(300)
    way.websocket.shutdown()  # the SDK does not close it after a close frame


def test_one_that_ends_is_tried_again_and_says_how_it_ended(real: Cluster, image: str) -> None:
    real.apply("deployments", serving(image, "echo boom; exit 7"))
    assert "restarting failed container=app" in real.waiting_message("CrashLoopBackOff")
    (pod,) = real.list("pods")
    (status,) = pod["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 7
    log = f"{real.path('pods', pod['metadata']['name'])}/log"
    assert real.ask("GET", log, query={"previous": "true"}) == "boom\n"


def test_one_that_may_not_be_root_is_not_started_as_root(real: Cluster, image: str) -> None:
    real.apply("deployments", serving(image, securityContext={"runAsNonRoot": True}))
    assert "image will run as root" in real.waiting_message("CreateContainerConfigError")


def rolled(real: Cluster, image: str, times: int) -> Counter[object]:
    """What clients of a load balancer are answered while so many versions come in."""
    gentle = {"command": ["python3", "-c", _GENTLE], "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}
    made = deployment(image, **gentle)
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 60
    made["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    real.apply("services", service())
    real.apply("deployments", made)
    real.completed()
    answers: Counter[object] = Counter()
    url, ended = real.url(), threading.Event()

    def ask() -> None:
        while not ended.wait(0.04):
            try:
                answers[requests.get(url, timeout=120).status_code] += 1
            except requests.RequestException as error:
                answers[type(error).__name__] += 1

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for each in askers:
        each.start()
    for number in range(times):
        made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "N", "value": str(number)}]
        real.completed(real.apply("deployments", made)["metadata"]["generation"])
    ended.set()
    for each in askers:
        each.join()
    return answers


def test_nobody_notices_a_rollout(real: Cluster, image: str) -> None:
    answers = rolled(real, image, 1)
    assert set(answers) == {200}


@pytest.mark.exhaustive
def test_nobody_notices_ten_rollouts(real: Cluster, image: str) -> None:
    answers = rolled(real, image, 10)
    assert set(answers) == {200}


def test_what_is_deleted_leaves_no_container(real: Cluster, image: str, engine: Engine) -> None:
    real.apply("deployments", serving(image))
    real.completed()
    (pod,) = real.list("pods")
    assert containers(real, engine, pod)
    real.delete("deployments", APP)
    eventually(lambda: real.list("pods") == [], "no pod")
    assert containers(real, engine, pod) == []
