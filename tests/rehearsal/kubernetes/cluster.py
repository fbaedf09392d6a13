"""A rehearsed cluster through the official client, and what is put there."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal

T = TypeVar("T")
BASE = "mldeploy/python:3.11-slim"
SPACE, APP, PORT = "space", "app", 8080
SERVE = f"exec python3 -u -m http.server {PORT} --directory /etc"
SECONDS = 60.0
APPLY = "application/apply-patch+yaml"
GATEWAYS, RBAC = "/apis/gateway.networking.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"


def eventually(found: Callable[[], T | None], what: str) -> T:
    """What is there, once it is there."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {SECONDS:.0f} s")


def deployment(image: str, **container: Any) -> dict[str, Any]:
    """One that a test may change."""
    full = {
        "name": "app",
        "image": image,
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
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
    """What the API server answers instead. causes: the fields that it names."""

    status: int
    reason: str
    message: str
    causes: tuple[str, ...]


def refused(call: Callable[[], object]) -> Refusal:
    """The Status with which a call is refused."""
    with pytest.raises(ApiException) as raised:
        call()
    said = json.loads(raised.value.body or "")
    assert said["kind"] == "Status"
    assert raised.value.status == said["code"]
    causes = (said.get("details") or {}).get("causes") or ()
    return Refusal(said["code"], said.get("reason", ""), said["message"], tuple(each["field"] for each in causes))


@dataclass(frozen=True)
class Cluster:
    """Documents go in and come out as JSON: what the SDK's models would leave out is seen, too."""

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
        """The answer's document. Raises ApiException."""
        headers = {"Content-Type": content, "Accept": "application/json"}
        parts = self.api.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, auth_settings=["BearerToken"]
        )
        answer = self.api.call_api(parts[0], parts[1], parts[2], body, _request_timeout=20).response
        said = answer.read()
        if answer.status >= 300:
            raise ApiException(status=answer.status, reason=answer.reason, body=said.decode())
        return json.loads(said) if said.startswith(b"{") else said.decode()

    def create_space(self, name: str = SPACE) -> None:
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        eventually(lambda: self.find(f"/api/v1/namespaces/{name}/serviceaccounts/default"), "an account")

    def find(self, path: str) -> Any:
        """None if there is nothing."""
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
        found: list[Any] = self.ask("GET", self.path(kind), query=query)["items"]
        return found

    def delete(self, kind: str, name: str = APP, **options: object) -> Any:
        return self.ask("DELETE", self.path(kind, name), options or None)

    def push(self, engine: Engine) -> str:
        """An image in the cluster's registry, by digest, and the secret with which it can be pulled."""
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
        """The Deployment, once it has come in as it is wanted."""
        found = self.get("deployments")
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        counts = {status.get(each) for each in ("replicas", "updatedReplicas", "availableReplicas")}
        return found if status.get("observedGeneration", 0) >= generation and counts == {wanted} else None

    def completed(self, generation: int = 1) -> Any:
        return eventually(lambda: self.is_complete(generation), "a rollout that is complete")

    def waiting(self, reason: str) -> str:
        """What a container's status says once it waits for this reason."""

        def look() -> str | None:
            for pod in self.list("pods"):
                for each in pod["status"].get("containerStatuses", ()):
                    waiting = each["state"].get("waiting", {})
                    if waiting.get("reason") == reason:
                        return str(waiting.get("message", "")) or reason
            return None

        return eventually(look, f"a container that waits: {reason}")

    def said(self, reason: str, part: str = "") -> str:
        """The message of an event, once there is one with this reason that has this part."""

        def look() -> str | None:
            found = [each for each in self.list("events") if each["reason"] == reason and part in each["message"]]
            return str(found[0]["message"]) if found else None

        return eventually(look, f"an event: {reason}")

    def url(self) -> str:
        """The load balancer's, once it has an address."""

        def look() -> str | None:
            ingress = self.get("services")["status"]["loadBalancer"].get("ingress")
            return f"http://{ingress[0]['ip']}/" if ingress else None

        return eventually(look, "an external address")
