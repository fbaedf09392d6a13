"""Controllers with fake containers: rollouts, quotas, ordered deletion."""

from __future__ import annotations

import pytest
import requests

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import APP, PORT, SPACE, Cluster, deployment, eventually, rejected_call, service

pytestmark = pytest.mark.engine


@pytest.fixture
def image(cluster: Cluster, engine: Engine) -> str:
    cluster.create_space()
    return cluster.push(engine)


def test_a_new_template_takes_the_old_ones_place_and_can_be_gone_back_to(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(image))
    first = cluster.completed()
    cluster.apply("deployments", deployment(image, env=[{"name": "A", "value": "1"}]))
    second = cluster.completed(2)
    assert [each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for each in (first, second)] == [
        "1",
        "2",
    ]
    assert sorted(each["spec"]["replicas"] for each in cluster.list("replicasets")) == [0, 2]
    cluster.apply("deployments", deployment(image))
    third = cluster.completed(3)
    assert third["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert len(cluster.list("replicasets")) == 2


def test_a_load_balancer_answers_only_while_pods_are_ready(cluster: Cluster, image: str) -> None:
    cluster.apply("services", service())
    url = cluster.url()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=120)
    cluster.apply("deployments", deployment(image))
    cluster.completed()
    assert requests.get(url, timeout=120).json() == {}
    cluster.delete("services")
    eventually(lambda: cluster.find(cluster.path("services", APP)) is None, "a service that is gone")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=120)


def test_an_image_that_cannot_be_pulled_is_said_with_the_registrys_answer(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(f"{image.partition('@')[0]}@sha256:{'0' * 64}"))
    assert "not found" in cluster.waiting_message("ImagePullBackOff")
    assert cluster.event_message("Failed", "Failed to pull image")


def test_without_its_secret_an_image_cannot_be_pulled(cluster: Cluster, image: str) -> None:
    made = deployment(image)
    del made["spec"]["template"]["spec"]["imagePullSecrets"]
    cluster.apply("deployments", made)
    assert "no basic auth credentials" in cluster.waiting_message("ImagePullBackOff")


def test_a_variable_from_a_secret_that_is_not_there_is_waited_for(cluster: Cluster, image: str) -> None:
    source = {"secretKeyRef": {"name": "later", "key": "k"}}
    cluster.apply("deployments", deployment(image, env=[{"name": "K", "valueFrom": source}]))
    assert cluster.waiting_message("CreateContainerConfigError") == 'secret "later" not found'
    cluster.create("secrets", {"metadata": {"name": "later"}, "stringData": {"k": "v"}})
    cluster.completed()


def test_what_has_no_room_on_any_node_is_not_placed(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(image, resources={"requests": {"cpu": "64"}}))
    assert cluster.event_message("FailedScheduling") == "0/2 nodes are available: 2 Insufficient cpu."
    (pod, *_) = cluster.list("pods")
    assert pod["status"]["phase"] == "Pending"


def test_a_quota_keeps_pods_from_being_made(cluster: Cluster, image: str) -> None:
    cluster.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    cluster.apply("deployments", deployment(image))
    assert "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" in cluster.event_message(
        "FailedCreate"
    )

    def failed() -> bool:
        conditions = cluster.get("deployments").get("status", {}).get("conditions", [])
        return any(each["type"] == "ReplicaFailure" for each in conditions)

    eventually(failed, "a deployment that says so")


def test_a_rollout_that_does_not_move_is_given_up_and_the_old_pods_stay(cluster: Cluster, image: str) -> None:
    cluster.apply("services", service())
    cluster.apply("deployments", deployment(image))
    cluster.completed()
    bad = deployment(image, readinessProbe={"tcpSocket": {"port": PORT + 1}, "periodSeconds": 1})
    bad["spec"]["progressDeadlineSeconds"] = 1
    cluster.apply("deployments", bad)

    def given_up() -> bool:
        conditions = cluster.get("deployments")["status"]["conditions"]
        return any(each["reason"] == "ProgressDeadlineExceeded" for each in conditions)

    eventually(given_up, "a rollout that is given up")
    assert "Readiness probe failed" in cluster.event_message("Unhealthy")
    assert requests.get(cluster.url(), timeout=120).ok


def test_who_is_deleted_in_the_foreground_waits_for_what_it_owns(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(image))
    cluster.completed()
    left = cluster.delete("deployments", propagationPolicy="Foreground")
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(lambda: cluster.find(cluster.path("deployments", APP)) is None, "a deployment that is gone")
    assert cluster.list("replicasets") == cluster.list("pods") == []


def test_a_namespace_that_ends_takes_nothing_new_and_everything_with_it(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(image))
    cluster.completed()
    held = {"metadata": {"name": "held", "finalizers": ["example.com/held"]}}
    cluster.create("configmaps", held)
    cluster.ask("DELETE", f"/api/v1/namespaces/{SPACE}")
    refusal = rejected_call(lambda: cluster.create("configmaps", {"metadata": {"name": "late"}}))
    assert refusal.status == 403
    assert "because it is being terminated" in refusal.message
    patch = {"metadata": {"finalizers": None}}
    cluster.ask("PATCH", cluster.path("configmaps", "held"), patch, "application/merge-patch+json")
    eventually(lambda: cluster.find(f"/api/v1/namespaces/{SPACE}") is None, "a namespace that is gone")
    assert cluster.rehearsal.contents() == ()


def test_an_eviction_that_a_budget_forbids_is_refused(cluster: Cluster, image: str) -> None:
    cluster.apply("deployments", deployment(image))
    cluster.completed()
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": APP}}}}
    cluster.ask("POST", f"/apis/policy/v1/namespaces/{SPACE}/poddisruptionbudgets", budget)
    pod = cluster.list("pods")[0]["metadata"]["name"]
    path = f"{cluster.path('pods', pod)}/eviction"
    order = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    assert rejected_call(lambda: cluster.ask("POST", path, order)).status == 429
