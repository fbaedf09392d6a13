"""Ingresses and their controller, with fake containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import (
    APP,
    Cluster,
    Issuer,
    deployment,
    eventually,
    http_get,
    https_get_status,
    is_trusted,
    rejected_call,
    service,
)

pytestmark = pytest.mark.engine
HOST = "insurance.example.com"
CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"


@pytest.fixture
def served(cluster: Cluster, engine: Engine) -> Cluster:
    """With a Service inside the cluster, and Pods that are ready behind it."""
    cluster.create_space()
    cluster.apply("deployments", deployment(cluster.push(engine)))
    cluster.apply("services", service(type="ClusterIP"))
    cluster.completed()
    return cluster


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.of(tmp_path)


def ingress(host: str = HOST, path: str = "/", kind: str = "Prefix", **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": APP, "port": {"number": 80}}}
    paths = [{"path": path, "pathType": kind, "backend": backend}]
    rules = [{"host": host, "http": {"paths": paths}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": APP},
        "spec": {"rules": rules, **spec},
    }


def address(cluster: Cluster) -> str:
    """The controller's address in the Ingress status."""

    def look() -> str | None:
        ingress = cluster.get("ingresses").get("status", {}).get("loadBalancer", {}).get("ingress")
        return str(ingress[0]["ip"]) if ingress else None

    return eventually(look, "an ingress with an address")


def test_it_leads_by_host_and_path_to_pods_that_are_ready(served: Cluster) -> None:
    made = served.create("ingresses", ingress(path="/api"))
    assert made["spec"]["ingressClassName"] == "nginx"
    ip = address(served)
    assert http_get(ip, HOST, "/api/predict").json() == {}
    assert http_get(ip, f"{HOST}:80", "/api").status_code == 200
    for host, path in ((HOST, "/apiary"), (HOST, "/"), ("other.example.com", "/api")):
        assert http_get(ip, host, path).status_code == 404
    served.ask("PATCH", f"{served.path('deployments', APP)}/scale", {"spec": {"replicas": 0}}, MERGE)
    eventually(lambda: http_get(ip, HOST, "/api").status_code == 503, "an answer that nobody is there")


def test_an_exact_path_is_that_path_alone_and_a_wildcard_one_label(served: Cluster) -> None:
    served.create("ingresses", ingress("*.example.com", "/health", "Exact"))
    ip = address(served)
    assert [http_get(ip, "a.example.com", path).status_code for path in ("/health", "/health/")] == [200, 404]
    assert [http_get(ip, host, "/health").status_code for host in ("example.com", "a.b.example.com")] == [404, 404]


def test_it_answers_https_with_the_certificate_of_its_secret(served: Cluster, issuer: Issuer) -> None:
    served.create("secrets", issuer.secret("tls", HOST))
    served.create("ingresses", ingress(tls=[{"hosts": [HOST], "secretName": "tls"}]))
    ip = address(served)
    assert https_get_status(ip, HOST, issuer, "/predict") == 200
    assert not is_trusted(ip, "other.example.com", issuer)
    sent = http_get(ip, HOST, "/predict?a=1")
    assert (sent.status_code, sent.headers["Location"]) == (308, f"https://{HOST}/predict?a=1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "was not found"),
        ({}, "has no tls.crt"),
        ({"tls.crt": "eA==", "tls.key": "eA=="}, "is no certificate in PEM"),
    ],
)
def test_without_a_good_secret_it_says_so_and_shows_its_own_certificate(
    served: Cluster, issuer: Issuer, data: dict[str, str] | None, reason: str
) -> None:
    if data is not None:
        served.create("secrets", {"metadata": {"name": "tls"}, "data": data})
    served.create("ingresses", ingress(tls=[{"hosts": [HOST], "secretName": "tls"}]))
    ip = address(served)
    assert not is_trusted(ip, HOST, issuer)
    assert http_get(ip, HOST).status_code == 200
    assert reason in served.event_message("SSLCertificate", "Using default certificate")
    served.delete("secrets", "tls") if data is not None else None
    served.create("secrets", issuer.secret("tls", HOST))
    eventually(lambda: is_trusted(ip, HOST, issuer), "the secret's certificate")


def test_a_certificate_for_another_name_is_not_shown(served: Cluster, issuer: Issuer) -> None:
    served.create("secrets", issuer.secret("tls", "other.example.com"))
    served.create("ingresses", ingress(tls=[{"hosts": [HOST], "secretName": "tls"}]))
    assert not is_trusted(address(served), HOST, issuer)
    assert f"is valid for other.example.com, not {HOST}" in served.event_message("SSLCertificate")


def test_an_ingress_of_another_class_or_of_none_is_left_alone(served: Cluster) -> None:
    served.create("ingresses", ingress(ingressClassName="traefik"))
    served.ask("DELETE", f"{CLASSES}/nginx")
    nobodys = ingress()
    nobodys["metadata"]["name"] = "nobodys"
    assert "ingressClassName" not in served.create("ingresses", nobodys)["spec"]
    spec = {"controller": "k8s.io/ingress-nginx"}
    served.ask("POST", CLASSES, {"metadata": {"name": "ours"}, "spec": spec})
    ours = ingress(ingressClassName="ours")
    ours["metadata"]["name"] = "ours"
    served.create("ingresses", ours)
    eventually(lambda: served.get("ingresses", "ours").get("status", {}).get("loadBalancer"), "the one that is its own")
    for name in (APP, "nobodys"):
        assert not served.get("ingresses", name).get("status", {}).get("loadBalancer")


def test_what_cannot_be_is_refused_by_its_field(served: Cluster) -> None:
    wrong = ingress("Not_A_Host", "api", tls=[{"hosts": ["-"]}])
    wrong["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = {}
    here = "spec.rules[0].http.paths[0]"
    assert rejected_call(lambda: served.create("ingresses", wrong)).causes == (
        "spec.tls[0].hosts[0]",
        "spec.rules[0].host",
        f"{here}.path",
        f"{here}.backend",
    )


MERGE = "application/merge-patch+json"
