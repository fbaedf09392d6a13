"""A cluster's API answers at its address, to whoever has a token of Google's; what it leaves behind stays."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.cloud import artifactregistry_v1 as ar
from google.cloud import container_v1 as gke
from google.iam.v1 import policy_pb2

from mldeploy.image.engine import Engine
from tests.rehearsal.account import eventually
from tests.rehearsal.gcp.clients import Clients
from tests.rehearsal.gcp.test_registry import USER, push
from tests.rehearsal.test_registry import import_image

Body = dict[str, Any]
PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"


class Api:
    """A cluster's API, spoken to by hand."""

    def __init__(self, google: Clients, cluster: gke.Cluster, folder: Path) -> None:
        authority = folder / f"{cluster.endpoint}.pem"
        authority.write_bytes(base64.b64decode(cluster.master_auth.cluster_ca_certificate))
        self._google, self._url, self._authority = google, f"https://{cluster.endpoint}", str(authority)

    def ask(self, method: str, path: str, body: Body | None = None, token: str | None = None) -> requests.Response:
        bearer = {"Authorization": f"Bearer {self._google.password() if token is None else token}"}
        return requests.request(
            method, self._url + path, json=body, headers=bearer, verify=self._authority, timeout=120
        )

    def make(self, path: str, body: Body) -> Body:
        made = self.ask("POST", path, body)
        assert made.status_code == 201, made.text
        created: Body = made.json()
        return created

    def address(self, service: str) -> str | None:
        ingress = self.ask("GET", f"{SERVICES}/{service}").json()["status"].get("loadBalancer", {}).get("ingress")
        return str(ingress[0]["ip"]) if ingress else None

    def complaint(self, pod: str) -> str | None:
        """Why its container waits."""
        status = self.ask("GET", f"{PODS}/{pod}").json()["status"]
        waiting = [each["state"].get("waiting", {}) for each in status.get("containerStatuses", ())]
        return next((str(each["message"]) for each in waiting if "ErrImagePull" in each.get("reason", "")), None)

    def is_running(self, pod: str) -> bool:
        return str(self.ask("GET", f"{PODS}/{pod}").json()["status"].get("phase")) == "Running"


@pytest.fixture
def api(google: Clients, tmp_path: Path) -> Api:
    return Api(google, google.autopilot(), tmp_path)


def balanced(name: str = "web") -> Body:
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def pod(image: str, name: str = "one") -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


def rules(google: Clients) -> list[Body]:
    items = google.compute("/aggregated/forwardingRules").json()["items"]
    return [rule for scope in items.values() for rule in scope["forwardingRules"]]


def test_whoever_has_a_token_of_googles_comes_in(google: Clients, api: Api) -> None:
    assert "default" in [each["metadata"]["name"] for each in api.ask("GET", "/api/v1/namespaces").json()["items"]]
    assert api.ask("GET", "/api/v1/namespaces", token="ya29.guessed").status_code == 401
    before = google.password()
    google.rehearsal.expire_tokens()
    assert api.ask("GET", "/api/v1/namespaces", token=before).status_code == 401


def test_each_cluster_has_an_api_of_its_own(google: Clients, api: Api, tmp_path: Path) -> None:
    other = Api(google, google.autopilot("d"), tmp_path)
    api.make("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}})
    assert api.ask("GET", "/api/v1/namespaces/mine").ok
    assert other.ask("GET", "/api/v1/namespaces/mine").status_code == 404
    assert [each.name for each in google.rehearsal.contents() if each.kind == "kubernetes:namespaces"] == ["c/mine"]


def test_its_calls_pass_the_same_door(google: Clients, api: Api) -> None:
    before = len(google.rehearsal.calls())
    api.ask("GET", "/api/v1/namespaces")
    assert len(google.rehearsal.calls()) == before + 1


def test_a_load_balancer_is_a_forwarding_rule_until_its_service_goes(google: Clients, api: Api) -> None:
    uid = api.make(SERVICES, balanced())["metadata"]["uid"]
    address = eventually(lambda: api.address("web"), "an address")
    (rule,) = rules(google)
    assert (rule["IPAddress"], rule["portRange"]) == (address, "80-80")
    assert rule["name"] == f"a{uid.replace('-', '')}"[:32]
    assert "default/web" in rule["description"]
    assert google.compute(f"/regions/us-central1/forwardingRules/{rule['name']}", "DELETE").status_code == 400
    api.ask("DELETE", f"{SERVICES}/web")
    eventually(lambda: not rules(google) or None, "a load balancer that goes")


def test_a_load_balancer_outlives_its_cluster(google: Clients, api: Api) -> None:
    api.make(SERVICES, balanced())
    eventually(lambda: api.address("web"), "an address")
    google.finished(google.clusters.delete_cluster(name=f"{google.region}/clusters/c"))
    left = [(each.kind, each.name) for each in google.rehearsal.contents()]
    (rule,) = rules(google)
    assert left == [("compute:forwardingRule", rule["name"]), ("compute:targetPool", rule["name"])]
    for kind in ("forwardingRules", "targetPools"):
        assert google.compute(f"/regions/us-central1/{kind}/{rule['name']}", "DELETE").ok
    assert google.rehearsal.contents() == ()


@pytest.fixture
def repository(google: Clients) -> ar.Repository:
    return google.repository()


@pytest.fixture
def image(engine: Engine, google: Clients, repository: ar.Repository) -> Iterator[str]:
    """One that is in the registry, by its digest."""
    name = f"t{uuid.uuid4().hex[:10]}:1"
    import_image(engine, name)
    digest, error = push(engine, name, f"{repository.registry_uri}/app", "v1", (USER, google.password()))
    assert not error
    yield f"{repository.registry_uri}/app@{digest}"
    engine.client.remove_image(name, force=True)


@pytest.mark.engine
def test_the_projects_own_nodes_may_pull(api: Api, image: str) -> None:
    api.make(PODS, pod(image))
    eventually(lambda: api.is_running("one") or None, "a pod that runs")


@pytest.mark.engine
def test_nodes_of_another_account_may_pull_once_they_are_allowed_to(
    google: Clients, repository: ar.Repository, image: str, tmp_path: Path
) -> None:
    account = f"nodes@{google.project}.iam.gserviceaccount.com"
    config = gke.NodeConfig(service_account=account)
    cluster = gke.Cluster(name="c", initial_node_count=1, node_config=config)
    google.finished(google.clusters.create_cluster(parent=google.zone, cluster=cluster))
    api = Api(google, google.clusters.get_cluster(name=f"{google.zone}/clusters/c"), tmp_path)
    api.make(PODS, pod(image))
    assert "403" in eventually(lambda: api.complaint("one"), "a pull that is refused")
    policy = policy_pb2.Policy()
    policy.bindings.append(
        policy_pb2.Binding(role="roles/artifactregistry.reader", members=[f"serviceAccount:{account}"])
    )
    google.artifacts.set_iam_policy(request={"resource": repository.name, "policy": policy})
    eventually(lambda: api.is_running("one") or None, "a pod that runs")


def test_a_pod_that_is_too_large_for_every_node_waits(google: Clients, tmp_path: Path) -> None:
    cluster = gke.Cluster(name="c", initial_node_count=2)
    google.finished(google.clusters.create_cluster(parent=google.zone, cluster=cluster))
    api = Api(google, google.clusters.get_cluster(name=f"{google.zone}/clusters/c"), tmp_path)
    assert len(api.ask("GET", "/api/v1/nodes").json()["items"]) == 2
    body = pod("nothing")
    body["spec"]["containers"][0]["resources"] = {"requests": {"memory": "8Gi"}}
    api.make(PODS, body)

    def find_message() -> str | None:
        conditions = api.ask("GET", f"{PODS}/one").json()["status"].get("conditions", ())
        return next((each["message"] for each in conditions if each.get("reason") == "Unschedulable"), None)

    assert "0/2 nodes are available: 2 Insufficient memory" in eventually(find_message, "a pod that no node takes")
