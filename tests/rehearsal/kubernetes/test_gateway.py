"""Gateways and HTTPRoutes, with fake containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import (
    APP,
    GATEWAYS,
    SPACE,
    Cluster,
    Issuer,
    deployment,
    eventually,
    http_get,
    https_get_status,
    rejected_call,
    service,
)

pytestmark = pytest.mark.engine
HOST, INFRA = "insurance.example.com", "infra"


@pytest.fixture
def served(cluster: Cluster, engine: Engine) -> Cluster:
    """With a Service inside the cluster, Pods that are ready behind it, and a namespace for Gateways."""
    cluster.create_space()
    cluster.create_space(INFRA)
    cluster.apply("deployments", deployment(cluster.push(engine)))
    cluster.apply("services", service(type="ClusterIP"))
    cluster.completed()
    return cluster


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.of(tmp_path)


def listener(name: str, port: int, protocol: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": protocol, **more}


def everybody() -> dict[str, Any]:
    return {"namespaces": {"from": "All"}}


def gateway(cluster: Cluster, *listeners: dict[str, Any], space: str = INFRA) -> str:
    """Create a Gateway and return its path."""
    spec = {"gatewayClassName": "nginx", "listeners": list(listeners)}
    cluster.ask("POST", f"{GATEWAYS}/namespaces/{space}/gateways", {"metadata": {"name": "public"}, "spec": spec})
    return f"{GATEWAYS}/namespaces/{space}/gateways/public"


def route(*hosts: str, name: str = APP, **parent: Any) -> dict[str, Any]:
    spec = {
        "parentRefs": [{"name": "public", "namespace": INFRA, **parent}],
        "hostnames": list(hosts),
        "rules": [{"backendRefs": [{"name": APP, "port": 80}]}],
    }
    return {"metadata": {"name": name}, "spec": spec}


def address(cluster: Cluster, path: str) -> str:
    def look() -> str | None:
        status = cluster.ask("GET", path)["status"]
        programmed = find_condition(status["conditions"], "Programmed") == ("True", "Programmed")
        return str(status["addresses"][0]["value"]) if programmed else None

    return eventually(look, "a gateway with an address")


def accepted(cluster: Cluster, kind: str = "Accepted", name: str = APP) -> tuple[str, str]:
    """The condition at the route's only parent."""

    def look() -> tuple[str, str] | None:
        parents = cluster.get("httproutes", name).get("status", {}).get("parents")
        return find_condition(parents[0]["conditions"], kind) if parents else None

    return eventually(look, "a route of which its parent says something")


def find_condition(conditions: list[Any], kind: str) -> tuple[str, str]:
    return next((each["status"], each["reason"]) for each in conditions if each["type"] == kind)


def test_a_route_leads_through_a_gateway_of_another_namespace(served: Cluster) -> None:
    path = gateway(served, listener("http", 80, "HTTP", allowedRoutes=everybody()))
    served.create("httproutes", route(HOST))
    ip = address(served, path)
    assert accepted(served) == ("True", "Accepted")
    eventually(lambda: http_get(ip, HOST, "/predict").status_code == 200, "an answer")
    assert http_get(ip, "other.example.com").status_code == 404
    (heard,) = served.ask("GET", path)["status"]["listeners"]
    assert (heard["attachedRoutes"], find_condition(heard["conditions"], "Accepted")) == (1, ("True", "Accepted"))
    served.delete("httproutes")
    eventually(lambda: http_get(ip, HOST).status_code == 404, "a route that is gone")
    served.ask("DELETE", path)
    with pytest.raises(requests.ConnectionError):
        eventually(lambda: http_get(ip, HOST).status_code == 0, "nobody")


def test_https_is_answered_with_the_listeners_certificate(served: Cluster, issuer: Issuer) -> None:
    served.ask("POST", f"/api/v1/namespaces/{INFRA}/secrets", issuer.secret("wild", "*.example.com"))
    tls = {"certificateRefs": [{"name": "wild"}]}
    path = gateway(
        served,
        listener("https", 443, "HTTPS", hostname="*.example.com", tls=tls, allowedRoutes=everybody()),
        listener("http", 80, "HTTP", allowedRoutes=everybody()),
    )
    served.create("httproutes", route(HOST, sectionName="https"))
    ip = address(served, path)
    assert accepted(served) == ("True", "Accepted")
    eventually(lambda: https_get_status(ip, HOST, issuer) == 200, "an answer")
    assert http_get(ip, HOST).status_code == 404


def test_without_its_certificate_a_listener_does_not_listen(served: Cluster) -> None:
    tls = {"certificateRefs": [{"name": "later"}]}
    path = gateway(served, listener("https", 443, "HTTPS", tls=tls))

    def look() -> Any:
        status = served.ask("GET", path)["status"]
        return status if status.get("listeners") else None

    status = eventually(look, "a gateway that its controller has seen")
    assert find_condition(status["listeners"][0]["conditions"], "ResolvedRefs") == ("False", "InvalidCertificateRef")
    assert find_condition(status["conditions"], "Programmed") == ("False", "Invalid")
    assert status["addresses"] == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sectionName": "nothing"}, "NoMatchingParent"),
        ({"port": 81}, "NoMatchingParent"),
        ({"hosts": ("example.org",)}, "NoMatchingListenerHostname"),
        ({"sectionName": "own"}, "NotAllowedByListeners"),
    ],
)
def test_a_route_that_is_not_let_in_is_told_why(served: Cluster, changed: dict[str, Any], reason: str) -> None:
    gateway(
        served,
        listener("http", 80, "HTTP", hostname="*.example.com", allowedRoutes=everybody()),
        listener("own", 8080, "HTTP"),
    )
    hosts = changed.pop("hosts", (HOST,))
    served.create("httproutes", route(*hosts, **changed))
    assert accepted(served) == ("False", reason)


def test_a_backend_that_is_not_there_is_told_of_and_answered_with_500(served: Cluster) -> None:
    path = gateway(served, listener("http", 80, "HTTP", allowedRoutes=everybody()))
    made = route(HOST)
    made["spec"]["rules"][0]["backendRefs"][0]["name"] = "nobody"
    served.create("httproutes", made)
    assert accepted(served, "ResolvedRefs") == ("False", "BackendNotFound")
    assert http_get(address(served, path), HOST).status_code == 500


def test_a_gateway_of_another_class_is_left_alone(served: Cluster) -> None:
    spec = {"gatewayClassName": "theirs", "listeners": [listener("http", 80, "HTTP")]}
    theirs = {"metadata": {"name": "theirs"}, "spec": spec}
    waiting = served.ask("POST", f"{GATEWAYS}/namespaces/{SPACE}/gateways", theirs)
    address(served, gateway(served, listener("http", 80, "HTTP"), space=SPACE))
    assert served.get("gateways", "theirs")["status"] == waiting["status"]
    assert find_condition(waiting["status"]["conditions"], "Programmed") == ("Unknown", "Pending")


def test_its_types_are_as_strict_as_the_others(served: Cluster) -> None:
    strange = route(HOST)
    strange["spec"]["rules"][0]["backend"] = []
    path = served.path("httproutes")
    strict = {"fieldValidation": "Strict"}
    refusal = rejected_call(lambda: served.ask("POST", path, strange, query=strict))
    assert (refusal.status, 'unknown field "spec.rules[0].backend"' in refusal.message) == (400, True)
    wrong = route("Not_A_Host")
    wrong["spec"]["parentRefs"] = [{"namespace": INFRA}]
    del wrong["spec"]["rules"][0]["backendRefs"][0]["port"]
    here = "spec.rules[0].backendRefs[0]"
    assert rejected_call(lambda: served.create("httproutes", wrong)).causes == (
        "spec.parentRefs[0].name",
        "spec.hostnames[0]",
        here,
    )


def test_a_cluster_may_not_know_the_gateway_api(served: Cluster) -> None:
    served.rehearsal.lack("gateway.networking.k8s.io")
    assert served.find(GATEWAYS) is None
    assert rejected_call(lambda: served.create("httproutes", route(HOST))).status == 404
    assert "gateway.networking.k8s.io" not in {each["name"] for each in served.ask("GET", "/apis")["groups"]}
    served.rehearsal.reset()
    assert served.find(GATEWAYS) is not None
