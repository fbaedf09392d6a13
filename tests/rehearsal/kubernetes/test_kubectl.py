"""kubectl against the rehearsed cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import APP, PORT, SPACE, Cluster, deployment, eventually, service

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on this machine"),
]


@pytest.fixture
def busy(cluster: Cluster, engine: Engine) -> Cluster:
    cluster.create_space()
    cluster.apply("deployments", deployment(cluster.push(engine)))
    cluster.apply("services", service())
    cluster.completed()
    return cluster


GROUP = "rbac.authorization.k8s.io"


def kubeconfig(cluster: Cluster) -> Path:
    return Path(str(cluster.rehearsal.endpoints.ca_bundle)).parent / "kubeconfig"


def kubectl(cluster: Cluster, *words: str, given: str = "") -> str:
    command = ["kubectl", "--kubeconfig", str(kubeconfig(cluster)), "--namespace", SPACE, *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(version: str, kind: str, name: str, **content: object) -> str:
    """As `apply -f -` takes it."""
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content})


def test_it_lists_in_columns(busy: Cluster) -> None:
    header, *rows = kubectl(busy, "get", "pods").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[1:3] for row in rows] == [["1/1", "Running"]] * 2
    assert "2/2" in kubectl(busy, "get", "deployments")


def test_it_describes_with_events(busy: Cluster) -> None:
    output = kubectl(busy, "describe", "deployment", APP)
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in output
    assert "ScalingReplicaSet" in output
    assert "Successfully pulled image" in kubectl(busy, "describe", "pods")


def test_it_reads_logs_and_history(busy: Cluster) -> None:
    assert eventually(lambda: kubectl(busy, "logs", f"deployment/{APP}"), "a log") == "pretending to run\n"
    assert kubectl(busy, "rollout", "status", f"deployment/{APP}").endswith("successfully rolled out\n")


def test_it_applies_and_deletes(busy: Cluster) -> None:
    given = document("v1", "ConfigMap", "c", data={"a": "b"})
    assert kubectl(busy, "apply", "-f", "-", given=given) == "configmap/c created\n"
    assert kubectl(busy, "apply", "-f", "-", given=given) == "configmap/c unchanged\n"
    assert "deleted" in kubectl(busy, "delete", "deployment", APP)
    assert busy.find(busy.path("deployments", APP)) is None


def test_it_runs_commands_and_hands_on_what_it_is_given(busy: Cluster) -> None:
    (pod, *_) = kubectl(busy, "get", "pods", "-o", "name").split()
    assert kubectl(busy, "exec", pod, "--", "a", "b") == "a b\n"
    assert kubectl(busy, "exec", "-i", pod, "--", "cat", given="to be sent\n") == "cat\nto be sent\n"


def test_it_forwards_ports(busy: Cluster) -> None:
    with forwarded(busy, f"deployment/{APP}", PORT) as url:
        for _ in range(3):
            assert requests.post(url, json={"a": "b" * 100_000}, timeout=120).json() == {}
    with forwarded(busy, f"deployment/{APP}", 9) as url, pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=120)


def test_it_shows_what_leads_to_an_app(busy: Cluster) -> None:
    backend = {"service": {"name": APP, "port": {"number": 80}}}
    rule = {"host": "app.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = document("networking.k8s.io/v1", "Ingress", APP, spec={"rules": [rule]})
    kubectl(busy, "apply", "-f", "-", given=ingress)
    eventually(lambda: busy.get("ingresses").get("status", {}).get("loadBalancer"), "an address")
    assert "Scheduled for sync" in kubectl(busy, "describe", "ingress", APP)
    (line,) = kubectl(busy, "get", "ingress", "--no-headers").splitlines()
    assert line.split()[1:3] == ["nginx", "app.example.com"]
    spec = {"gatewayClassName": "nginx", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
    gateway = document("gateway.networking.k8s.io/v1", "Gateway", "public", spec=spec)
    for _ in range(2):
        kubectl(busy, "apply", "-f", "-", given=gateway)
    assert busy.get("gateways", "public")["metadata"]["generation"] == 1
    kubectl(busy, "wait", "gateway/public", "--for=condition=Programmed", "--timeout=600s")
    (line,) = kubectl(busy, "get", "gtw", "--no-headers").splitlines()
    assert (line.split()[1], line.split()[3]) == ("nginx", "True")


def test_it_shows_how_far_a_pod_has_come(busy: Cluster) -> None:
    template = busy.get("deployments")["spec"]["template"]["spec"]
    first = {**template["containers"][0], "name": "first", "readinessProbe": None}
    busy.create("pods", {"metadata": {"name": "slow"}, "spec": {**template, "initContainers": [first]}})
    eventually(lambda: "Init:0/1" in kubectl(busy, "get", "pod", "slow"), "a pod that begins")


def test_somebody_else_sees_what_a_role_lets_him_see(busy: Cluster) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    subject = {"kind": "ServiceAccount", "name": "helper", "namespace": SPACE}
    reference = {"apiGroup": GROUP, "kind": "Role", "name": "reader"}
    for each in (
        document("v1", "ServiceAccount", "helper"),
        document(f"{GROUP}/v1", "Role", "reader", rules=rules),
        document(f"{GROUP}/v1", "RoleBinding", "reader", subjects=[subject], roleRef=reference),
    ):
        kubectl(busy, "apply", "-f", "-", given=each)
    token = busy.ask("POST", f"{busy.path('serviceaccounts', 'helper')}/token", {"spec": {}})["status"]["token"]
    assert len(kubectl(busy, "--token", token, "get", "pods", "-o", "name").split()) == 2
    with pytest.raises(AssertionError, match='cannot list resource "secrets"'):
        kubectl(busy, "--token", token, "get", "secrets")


@contextmanager
def forwarded(cluster: Cluster, what: str, port: int) -> Iterator[str]:
    """The URL that kubectl forwards to the Pod."""
    command = [
        "kubectl",
        "--kubeconfig",
        str(kubeconfig(cluster)),
        "--namespace",
        SPACE,
        "port-forward",
        what,
        f":{port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            output = process.stdout.readline()
            yield f"http://{output.removeprefix('Forwarding from ').partition(' ')[0]}"
        finally:
            process.terminate()
