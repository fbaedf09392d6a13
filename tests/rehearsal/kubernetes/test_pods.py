"""Single Pods: what they mount, what runs before them, what they may use, and how long."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import APP, Cluster, deployment, eventually, rejected_call, service

pytestmark = pytest.mark.engine


@pytest.fixture
def image(real: Cluster, engine: Engine) -> str:
    real.create_space()
    return real.push(engine)


def container(image: str, script: str, name: str = "app", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "command": ["sh", "-c", script], **more}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    full = {"imagePullSecrets": [{"name": "pull"}], "restartPolicy": "Never", "containers": list(containers), **spec}
    return {"metadata": {"name": APP}, "spec": {"terminationGracePeriodSeconds": 1, **full}}


def ended(cluster: Cluster, name: str = APP) -> Any:
    """The status of a Pod that has ended."""

    def look() -> Any:
        status = cluster.get("pods", name)["status"]
        return status if status["phase"] in ("Succeeded", "Failed") else None

    return eventually(look, "a pod that is over")


def log(cluster: Cluster, **query: str) -> str:
    """The Pod's log. A busy engine may deliver it after the container has exited."""
    return eventually(lambda: str(cluster.ask("GET", f"{cluster.path('pods', APP)}/log", query=query)), "a log")


def test_secrets_and_config_maps_are_files_that_are_read_only(real: Cluster, image: str) -> None:
    secret = base64.b64encode(b"\xff\x00secret").decode()
    real.create("secrets", {"metadata": {"name": "s"}, "data": {"key": secret, "other": ""}})
    real.create("configmaps", {"metadata": {"name": "c"}, "data": {"a.txt": "from a map"}})
    script = "cat /c/a.txt; echo; ls /s; wc -c < /s/deep/file; cat /one; echo; touch /c/x || stat -c %a /s/deep/file"
    mounts = [
        {"name": "s", "mountPath": "/s"},
        {"name": "c", "mountPath": "/c"},
        {"name": "c", "mountPath": "/one", "subPath": "a.txt"},
    ]
    items = [{"key": "key", "path": "deep/file", "mode": 0o440}]
    volumes = [{"name": "s", "secret": {"secretName": "s", "items": items}}, {"name": "c", "configMap": {"name": "c"}}]
    real.create("pods", pod(container(image, script, volumeMounts=mounts), volumes=volumes))
    assert ended(real)["phase"] == "Succeeded"
    assert [line for line in log(real).splitlines() if "touch" not in line] == [
        "from a map",
        "deep",
        "8",
        "from a map",
        "440",
    ]


def test_a_volume_of_a_secret_that_is_not_there_is_waited_for(real: Cluster, image: str) -> None:
    mounts = [{"name": "later", "mountPath": "/s"}]
    volumes = [{"name": "later", "secret": {"secretName": "later"}}]
    real.create("pods", pod(container(image, "cat /s/k", volumeMounts=mounts), volumes=volumes))
    expected = 'MountVolume.SetUp failed for volume "later" : secret "later" not found'
    assert real.event_message("FailedMount") == expected
    real.create("secrets", {"metadata": {"name": "later"}, "stringData": {"k": "here"}})
    assert ended(real)["phase"] == "Succeeded"
    assert log(real).rstrip() == "here"


def test_what_must_run_before_runs_before_and_in_order(real: Cluster, image: str) -> None:
    mounts = [{"name": "room", "mountPath": "/room"}]
    first = [
        container(
            image, f"test -z '{before}' || cat /room/{before}; echo {name} > /room/{name}", name, volumeMounts=mounts
        )
        for name, before in (("one", ""), ("two", "one"))
    ]
    made = pod(
        container(image, "cat /room/one /room/two", volumeMounts=mounts),
        initContainers=first,
        volumes=[{"name": "room", "emptyDir": {"sizeLimit": "1Mi"}}],
    )
    real.create("pods", made)
    status = ended(real)
    assert status["phase"] == "Succeeded"
    assert [each["state"]["terminated"]["reason"] for each in status["initContainerStatuses"]] == ["Completed"] * 2
    assert log(real) == "one\ntwo\n"
    assert log(real, container="two") == "one\n"


def test_nothing_begins_while_what_comes_before_it_fails(real: Cluster, image: str) -> None:
    made = pod(container(image, "echo never"), initContainers=[container(image, "exit 3", "first")])
    made["spec"]["restartPolicy"] = "Always"
    real.create("pods", made)

    def look() -> Any:
        status = real.get("pods")["status"]
        states = [each["state"].get("waiting", {}).get("reason") for each in status.get("initContainerStatuses", ())]
        return status if states == ["CrashLoopBackOff"] else None

    status = eventually(look, "a container that is tried again")
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    (expected,) = (each for each in status["conditions"] if each["type"] == "Initialized")
    assert (expected["status"], expected["reason"]) == ("False", "ContainersNotInitialized")


def test_one_that_takes_more_memory_than_it_may_is_killed(real: Cluster, image: str) -> None:
    script = "exec python3 -c 'x = bytearray(256 << 20); print(len(x))'"
    real.create("pods", pod(container(image, script, resources={"limits": {"memory": "48Mi"}})))
    status = ended(real)
    (container_status,) = status["containerStatuses"]
    assert (container_status["state"]["terminated"]["reason"], container_status["state"]["terminated"]["exitCode"]) == (
        "OOMKilled",
        137,
    )


def test_one_that_runs_longer_than_it_may_fails(real: Cluster, image: str) -> None:
    real.create("pods", pod(container(image, "exec sleep 100"), activeDeadlineSeconds=1))
    status = ended(real)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert real.event_message("DeadlineExceeded")
    eventually(lambda: "terminated" in real.get("pods")["status"]["containerStatuses"][0]["state"], "an end")


def test_a_pod_that_a_deployment_owns_goes_with_it_and_is_none_of_its_service(cluster: Cluster, engine: Engine) -> None:
    cluster.create_space()
    image = cluster.push(engine)
    cluster.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "3"}}})
    cluster.apply("services", service())
    owner = cluster.apply("deployments", deployment(image))
    cluster.completed()
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP, "uid": owner["metadata"]["uid"]}
    trial = pod({"name": "app", "image": image, "ports": [{"containerPort": 8080}]})
    trial["metadata"] = {"name": "trial", "labels": {"of": "trial"}, "ownerReferences": [reference]}
    cluster.create("pods", trial)
    eventually(lambda: cluster.get("pods", "trial")["status"]["phase"] == "Running", "a pod that runs")
    assert cluster.completed()["status"]["replicas"] == 2
    (subset,) = cluster.get("endpoints")["subsets"]
    assert len(subset["addresses"]) == 2
    more = {**trial, "metadata": {"name": "more"}}
    assert "exceeded quota: q" in rejected_call(lambda: cluster.create("pods", more)).message
    cluster.delete("deployments", propagationPolicy="Foreground")
    eventually(lambda: cluster.list("pods") == [], "no pod")
