"""kubectl, as somebody would use it who wants to see what mldeploy has made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import APP, SPACE, Cluster, deployment, service

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


def kubectl(cluster: Cluster, *words: str, given: str = "") -> str:
    config = Path(str(cluster.rehearsal.endpoints.ca_bundle)).parent / "kubeconfig"
    command = ["kubectl", "--kubeconfig", str(config), "--namespace", SPACE, *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_lists_in_columns(busy: Cluster) -> None:
    header, *rows = kubectl(busy, "get", "pods").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[1:3] for row in rows] == [["1/1", "Running"]] * 2
    assert "2/2" in kubectl(busy, "get", "deployments")


def test_it_describes_with_events(busy: Cluster) -> None:
    said = kubectl(busy, "describe", "deployment", APP)
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in said
    assert "ScalingReplicaSet" in said
    assert "Successfully pulled image" in kubectl(busy, "describe", "pods")


def test_it_reads_logs_and_history(busy: Cluster) -> None:
    assert kubectl(busy, "logs", f"deployment/{APP}") == "pretending to run\n"
    assert kubectl(busy, "rollout", "status", f"deployment/{APP}").endswith("successfully rolled out\n")


def test_it_applies_and_deletes(busy: Cluster) -> None:
    document = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}"
    assert kubectl(busy, "apply", "-f", "-", given=document) == "configmap/c created\n"
    assert kubectl(busy, "apply", "-f", "-", given=document) == "configmap/c unchanged\n"
    assert "deleted" in kubectl(busy, "delete", "deployment", APP)
    assert busy.find(busy.path("deployments", APP)) is None
