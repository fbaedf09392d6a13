"""A client for a rehearsed cluster, test objects, certificates, and HTTP requests by host name."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import trustme
import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import MaxRetryError, SSLError

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal

T = TypeVar("T")
BASE = "mldeploy/python:3.11-slim"
SPACE, APP, PORT = "space", "app", 8080
SERVE = f"exec python3 -u -m http.server {PORT} --directory /etc"
SECONDS = 600.0
APPLY = "application/apply-patch+yaml"
GATEWAYS, RBAC = "/apis/gateway.networking.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"


def eventually(find: Callable[[], T | None], what: str) -> T:
    """Wait until `find` returns a value, and return it."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := find():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {SECONDS:.0f} s")


def deployment(image: str, **container: Any) -> dict[str, Any]:
    """A Deployment document that a test may change."""
    full = {
        "name": "app",
        "image": image,
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 60},
        **container,
    }
    labels = {"app": APP}
    template = {
        "metadata": {"labels": labels},
        "spec": {"imagePullSecrets": [{"name": "pull"}], "terminationGracePeriodSeconds": 1, "containers": [full]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": SPACE, "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": PORT}]
    full = {"type": "LoadBalancer", "selector": {"app": APP}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": APP, "namespace": SPACE}, "spec": full}


@dataclass(frozen=True)
class Refusal:
    """An error response. causes: the fields that it names."""

    status: int
    reason: str
    message: str
    causes: tuple[str, ...]


def rejected_call(call: Callable[[], object]) -> Refusal:
    """Call, and return the Status with which the API server rejects it."""
    with pytest.raises(ApiException) as raised:
        call()
    status_document = json.loads(raised.value.body or "")
    assert status_document["kind"] == "Status"
    assert raised.value.status == status_document["code"]
    causes = (status_document.get("details") or {}).get("causes") or ()
    return Refusal(
        status_document["code"],
        status_document.get("reason", ""),
        status_document["message"],
        tuple(each["field"] for each in causes),
    )


@dataclass(frozen=True)
class Cluster:
    """Sends and returns documents as JSON, so that fields that the SDK's models omit are visible."""

    rehearsal: KubernetesRehearsal
    api: client.ApiClient

    @classmethod
    @contextmanager
    def of(cls, rehearsal: KubernetesRehearsal, token: str = "") -> Iterator[Cluster]:
        endpoints = rehearsal.endpoints
        good = dict(endpoints.credentials)["token"].reveal()
        configuration = client.Configuration(host=endpoints.url)
        configuration.ssl_ca_cert = str(endpoints.ca_bundle)
        configuration.api_key = {"authorization": f"Bearer {token or good}"}
        with client.ApiClient(configuration) as api:
            yield cls(rehearsal, api)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and return the response's document. Raises ApiException."""
        headers = {"Content-Type": content, "Accept": "application/json"}
        parts = self.api.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, auth_settings=["BearerToken"]
        )
        response = self.api.call_api(parts[0], parts[1], parts[2], body, _request_timeout=120).response
        text = response.read()
        if response.status >= 300:
            raise ApiException(status=response.status, reason=response.reason, body=text.decode())
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def create_space(self, name: str = SPACE) -> None:
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        eventually(lambda: self.find(f"/api/v1/namespaces/{name}/serviceaccounts/default"), "an account")

    def find(self, path: str) -> Any:
        """The object at a path; None if it does not exist."""
        try:
            return self.ask("GET", path)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def path(self, kind: str, name: str = "") -> str:
        groups = {
            "deployments": "/apis/apps/v1",
            "replicasets": "/apis/apps/v1",
            "ingresses": "/apis/networking.k8s.io/v1",
            "gateways": GATEWAYS,
            "httproutes": GATEWAYS,
            "roles": RBAC,
            "rolebindings": RBAC,
        }
        return f"{groups.get(kind, '/api/v1')}/namespaces/{SPACE}/{kind}{'/' if name else ''}{name}"

    def create(self, kind: str, document: object) -> Any:
        return self.ask("POST", self.path(kind), document)

    def apply(self, kind: str, document: Mapping[str, Any], manager: str = "us", **query: str) -> Any:
        path = self.path(kind, document["metadata"]["name"])
        return self.ask("PATCH", path, document, APPLY, {"fieldManager": manager, **query})

    def get(self, kind: str, name: str = APP) -> Any:
        return self.ask("GET", self.path(kind, name))

    def list(self, kind: str, **query: str) -> list[Any]:
        items: list[Any] = self.ask("GET", self.path(kind), query=query)["items"]
        return items

    def delete(self, kind: str, name: str = APP, **options: object) -> Any:
        return self.ask("DELETE", self.path(kind, name), options or None)

    def push(self, engine: Engine) -> str:
        """Push an image to the cluster's registry and create its pull secret. Returns the reference by digest."""
        credentials = {name: secret.reveal() for name, secret in self.rehearsal.endpoints.credentials}
        registry = self.rehearsal.endpoints.service("registry")
        login = {"username": credentials["registry_user"], "password": credentials["registry_password"]}
        engine.client.tag(BASE, f"{registry}/app", "1")
        events = list(engine.client.push(f"{registry}/app", "1", auth_config=login, stream=True, decode=True))
        engine.client.remove_image(f"{registry}/app:1", noprune=True)
        digest = next(event["aux"]["Digest"] for event in events if "aux" in event)
        coded = base64.b64encode(json.dumps({"auths": {registry: login}}).encode()).decode()
        data = {".dockerconfigjson": coded}
        secret = {"metadata": {"name": "pull"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
        self.create("secrets", secret)
        return f"{registry}/app@{digest}"

    def is_complete(self, generation: int) -> Any:
        """The Deployment if its rollout is complete, otherwise None."""
        document = self.get("deployments")
        status, desired = document.get("status", {}), document["spec"]["replicas"]
        counts = {status.get(each) for each in ("replicas", "updatedReplicas", "availableReplicas")}
        return document if status.get("observedGeneration", 0) >= generation and counts == {desired} else None

    def completed(self, generation: int = 1) -> Any:
        return eventually(lambda: self.is_complete(generation), "a rollout that is complete")

    def waiting_message(self, reason: str) -> str:
        """Wait until a container waits for this reason, and return its message."""

        def look() -> str | None:
            for pod in self.list("pods"):
                for each in pod["status"].get("containerStatuses", ()):
                    waiting = each["state"].get("waiting", {})
                    if waiting.get("reason") == reason:
                        return str(waiting.get("message", "")) or reason
            return None

        return eventually(look, f"a container that waits: {reason}")

    def event_message(self, reason: str, part: str = "") -> str:
        """Wait for an event with this reason and text, and return its message."""

        def look() -> str | None:
            matches = [each for each in self.list("events") if each["reason"] == reason and part in each["message"]]
            return str(matches[0]["message"]) if matches else None

        return eventually(look, f"an event: {reason}")

    def url(self) -> str:
        """Wait for the load balancer's address, and return its URL."""

        def look() -> str | None:
            ingress = self.get("services")["status"]["loadBalancer"].get("ingress")
            return f"http://{ingress[0]['ip']}/" if ingress else None

        return eventually(look, "an external address")


@dataclass(frozen=True)
class Issuer:
    """A test CA. folder: holds its certificate for clients."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def of(cls, folder: Path) -> Issuer:
        made = cls(folder, trustme.CA())
        made.bundle.write_bytes(made.authority.cert_pem.bytes())
        return made

    @property
    def bundle(self) -> Path:
        return self.folder / "issuer.pem"

    def secret(self, name: str, *hosts: str) -> dict[str, Any]:
        """A Secret with a certificate for these names."""
        issued = self.authority.issue_cert(*hosts)
        chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
        parts = {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes()}
        data = {key: base64.b64encode(value).decode() for key, value in parts.items()}
        return {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data}


def http_get(address: str, host: str, path: str = "/", *, port: int = 80) -> requests.Response:
    """Send a GET request over HTTP, without following redirects."""
    url, headers = f"http://{address}:{port}{path}", {"Host": host}
    return requests.get(url, headers=headers, timeout=120, allow_redirects=False)


def https_get_status(address: str, host: str, issuer: Issuer, path: str = "/", *, port: int = 443) -> int:
    """Send a GET request over HTTPS and return the status.

    Raises SSLError if the certificate has another issuer or another name.
    """
    with urllib3.HTTPSConnectionPool(
        address,
        port=port,
        server_hostname=host,
        assert_hostname=host,
        ca_certs=str(issuer.bundle),
        timeout=120,
        retries=False,
    ) as pool:
        return int(pool.request("GET", path, headers={"Host": host}).status)


def is_trusted(address: str, host: str, issuer: Issuer) -> bool:
    """Whether the certificate for this name is the issuer's."""
    try:
        https_get_status(address, host, issuer)
    except (SSLError, MaxRetryError):
        return False
    return True
