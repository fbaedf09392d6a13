"""The ways to an app in a cluster, from the deployment to the answer: a load balancer, an Ingress, a Gateway, none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from mldeploy.app.client import AppClient
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.base import Address
from mldeploy.providers.kubernetes.operations import InClusterService
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import ROUTE, SampleApp, SampleVersion
from mldeploy.testing.scene import DeploymentUnderTest
from tests.rehearsal.kubernetes.cluster import GATEWAYS, Cluster, Issuer, eventually, http_get, https_get_status
from tests.sampled import Sampled
from tests.tiny import project_of

pytestmark = pytest.mark.engine
HOST, SPACE = "insurance.example.com", "models"
SECONDS = 60.0
INGRESSES = f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/ingresses"
ROUTES = f"{GATEWAYS}/namespaces/{SPACE}/httproutes"
WAYS: dict[str, dict[str, object]] = {
    "ingress": {"ingress": "ingress"},
    "ingress with TLS": {"ingress": "ingress", "ingress_class": "nginx", "tls_secret": "tls"},
    "gateway": {"ingress": "gateway", "gateway": "public"},
    "gateway with TLS": {
        "ingress": "gateway",
        "gateway": f"{SPACE}/public",
        "gateway_listener": "https",
        "gateway_https": True,
    },
}


@dataclass
class Reached:
    """An app in a namespace of the user's own, in which a certificate and a Gateway wait for it."""

    cluster: Cluster
    issuer: Issuer
    scene: DeploymentUnderTest

    def use(self, **values: object) -> None:
        """Another way from now on."""
        routed = {"domain": HOST} if values.get("ingress") in ("ingress", "gateway") else {}
        settings = KubernetesSettings.model_validate({"namespace": SPACE, **routed, **values})
        self.scene = replace(self.scene, settings=settings)

    def deploy(self) -> tuple[Address, set[Action]]:
        """The address, and what was done to the steps."""
        deployed = self.scene.deploy()
        assert isinstance(deployed.out, Address)
        return deployed.out, {each.action for each in deployed.steps}

    def deploy_on_balancer(self) -> Address:
        """At an address of its own."""
        self.use(ingress="load-balancer")
        return self.deploy()[0]

    def find(self, kind: str) -> Any:
        """One of the app's objects, None if it has none of this kind."""
        roots = {"ingresses": INGRESSES, "httproutes": ROUTES}
        root = roots.get(kind, f"/api/v1/namespaces/{SPACE}/{kind}")
        return self.cluster.find(f"{root}/{self.scene.project.app.name}")

    @property
    def address(self) -> str:
        """Where the controller answers that leads to it."""

        def look() -> str | None:
            if result := self.find("ingresses"):
                given = result.get("status", {}).get("loadBalancer", {}).get("ingress")
                return str(given[0]["ip"]) if given else None
            given = self.cluster.ask("GET", f"{GATEWAYS}/namespaces/{SPACE}/gateways/public")["status"]["addresses"]
            return str(given[0]["value"]) if given else None

        return eventually(look, "an address")

    def answers(self, path: str = "/health") -> bool:
        output = self.scene.settings.model_dump()
        if output["tls_secret"] or output["gateway_https"]:
            return https_get_status(self.address, HOST, self.issuer, path) == 200
        return http_get(self.address, HOST, path).status_code == 200

    def furnish_elsewhere(self, space: str) -> None:
        """Another team's Gateway, which nobody from another namespace may use."""
        self.cluster.create_space(space)
        listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
        public = {"metadata": {"name": "public"}, "spec": {"gatewayClassName": "nginx", "listeners": listeners}}
        self.cluster.ask("POST", f"{GATEWAYS}/namespaces/{space}/gateways", public)

    def furnish(self) -> None:
        """The user's own part of it."""
        self.cluster.create_space(SPACE)
        self.cluster.ask("POST", f"/api/v1/namespaces/{SPACE}/secrets", self.issuer.secret("tls", HOST))
        tls = {"certificateRefs": [{"name": "tls"}]}
        listeners = [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls},
        ]
        public = {"metadata": {"name": "public"}, "spec": {"gatewayClassName": "nginx", "listeners": listeners}}
        self.cluster.ask("POST", f"{GATEWAYS}/namespaces/{SPACE}/gateways", public)


def reached(rehearsal: KubernetesRehearsal, folder: Path, project: Any) -> Iterator[Reached]:
    rehearsal.reset()
    scene = DeploymentUnderTest(
        provider, KubernetesSettings.model_validate({}), rehearsal.endpoints, project, folder / "state"
    )
    with Cluster.of(rehearsal) as cluster:
        made = Reached(cluster, Issuer.of(folder), scene)
        made.furnish()
        yield made
    rehearsal.reset()


@pytest.fixture
def app(quick: KubernetesRehearsal, tiny: Path, tmp_path: Path) -> Iterator[Reached]:
    yield from reached(quick, tmp_path, project_of(tiny))


@pytest.mark.parametrize("way", WAYS)
@proves(Promise.DOMAIN, targets=("kubernetes",))
def test_the_app_answers_under_its_name_at_the_controllers_address(app: Reached, way: str) -> None:
    before = app.cluster.rehearsal.contents()
    app.use(**WAYS[way])
    address, _ = app.deploy()
    safe = "TLS" in way
    assert address.url == f"{'https' if safe else 'http'}://{HOST}"
    assert f"{HOST} does not point there yet" in address.remarks[0]
    assert app.find("services")["spec"]["type"] == "ClusterIP"
    eventually(app.answers, "the app")
    at = app.address
    again, actions = app.deploy()
    assert actions == {Action.UNCHANGED}
    service = app.scene.service
    assert isinstance(service, InClusterService)
    with service.reach() as url, AppClient(url) as client:  # through the API server, until the name leads there
        client.health("/health", within=SECONDS)
    assert again.remarks[0].endswith(f"; point it at {at}") is ("ingress" in way)
    app.scene.destroy()
    assert app.cluster.rehearsal.contents() == before
    eventually(lambda: http_get(at, HOST).status_code == 404, "a name that leads nowhere")


def test_once_its_name_leads_there_nothing_is_left_to_say(app: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
    app.use(**WAYS["ingress"])
    app.deploy()
    eventually(app.answers, "the app")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    monkeypatch.setenv("http_proxy", f"http://{app.address}:80")  # which finds every name where the controller is
    address, actions = app.deploy()
    assert (address.remarks, actions) == ((), {Action.UNCHANGED})
    with AppClient(address.url) as client:
        client.health("/health", within=SECONDS)


@proves(Promise.HTTPS, targets=("kubernetes",))
def test_over_http_an_ingress_with_tls_sends_to_https(app: Reached) -> None:
    app.use(**WAYS["ingress with TLS"])
    address, _ = app.deploy()
    eventually(app.answers, "the app")
    sent = http_get(app.address, HOST, "/health")
    assert (sent.status_code, sent.headers["Location"]) == (308, f"{address.url}/health")


def test_inside_the_cluster_alone_it_is_reached_through_the_api_server(app: Reached) -> None:
    app.use(ingress="cluster-ip")
    address, _ = app.deploy()
    assert address.url == f"http://{app.scene.project.app.name}.{SPACE}.svc"
    assert "only inside the cluster" in address.remarks[0]
    service = app.scene.service
    assert isinstance(service, InClusterService)
    with service.reach() as url, AppClient(url) as client:
        client.health("/health", within=SECONDS)
    assert app.deploy()[1] == {Action.UNCHANGED}
    app.scene.destroy()
    assert app.find("services") is None


def test_the_way_may_change_and_change_back(app: Reached) -> None:
    first = app.deploy_on_balancer()
    app.use(**WAYS["ingress"])
    app.deploy()
    eventually(app.answers, "the app")
    assert app.find("services")["spec"]["type"] == "ClusterIP"
    eventually(lambda: not app.find("services")["status"]["loadBalancer"], "a load balancer that is gone")
    with pytest.raises(requests.ConnectionError):
        requests.get(first.url, timeout=SECONDS)
    app.use(**WAYS["gateway"])
    app.deploy()
    assert app.find("ingresses") is None
    eventually(app.answers, "the app")
    again = app.deploy_on_balancer()
    assert app.find("httproutes") is None
    assert requests.get(again.url, timeout=SECONDS).status_code == 200
    app.scene.destroy()
    assert app.find("services") is None


@pytest.mark.parametrize(
    ("changed", "output"),
    [
        ({"gateway_listener": "nothing"}, "NoMatchingParent"),
        ({"gateway": "infra/public"}, "NotAllowedByListeners"),
    ],
)
def test_a_gateway_that_does_not_let_the_app_in_ends_the_deployment(
    app: Reached, changed: dict[str, object], output: str
) -> None:
    app.furnish_elsewhere("infra")
    app.use(**{**WAYS["gateway"], **changed})
    for _ in range(2):
        with pytest.raises(DeploymentFailedError) as failed:
            app.deploy()
        assert output in str(failed.value)
        assert "allowedRoutes" in failed.value.todo
    app.use(**WAYS["gateway"])
    app.deploy()
    eventually(app.answers, "the app")
    app.scene.destroy()


def test_a_cluster_without_the_gateway_api_is_said_to_have_none(app: Reached) -> None:
    app.cluster.rehearsal.lack("gateway.networking.k8s.io")
    app.use(**WAYS["gateway"])
    with pytest.raises(DeploymentFailedError) as failed:
        app.deploy()
    error = failed.value.failures[0][1]
    assert isinstance(error, RefusedError)
    assert "no Gateway API" in str(error)
    app.scene.destroy()
    assert app.find("services") is None


@pytest.mark.exhaustive
class TestInContainers(Sampled):
    """The same with an app that really predicts."""

    @pytest.fixture
    def real(self, lively: KubernetesRehearsal, sample: SampleApp, tmp_path: Path) -> Iterator[Reached]:
        yield from reached(lively, tmp_path, sample.project)

    @pytest.mark.parametrize("way", ["ingress", "gateway"])
    def test_it_predicts_and_no_version_is_missed(self, real: Reached, sample: SampleApp, way: str) -> None:
        real.use(**WAYS[way])
        for version in (SampleVersion(), SampleVersion(code="two")):
            sample.write(version)
            real.scene = replace(real.scene, project=sample.project)
            real.deploy()
            url = f"http://{real.address}{ROUTE}"
            eventually(real.answers, "the app")
            answer = requests.post(url, json={}, headers={"Host": HOST}, timeout=SECONDS)
            assert answer.json() == version.answer
        real.scene.destroy()
        assert real.find("services") is None
