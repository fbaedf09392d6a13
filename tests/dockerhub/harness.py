"""An app and its repository on Docker Hub, deployed in this process, with every event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import requests

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core import verbs
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Outputs
from mldeploy.providers.capabilities import Finding
from mldeploy.providers.dockerhub.checks import check_target
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.providers.dockerhub.repository import HubImage
from mldeploy.rehearsal.dockerhub import HubRehearsal
from mldeploy.rehearsal.dockerhub.repositories import USER
from tests.shop import RegistryProvider, RegistryShop


@dataclass
class HubHarness(RegistryShop):
    """credentials: others than the rehearsal's first ones."""

    provider: ClassVar[RegistryProvider] = DockerHubProvider()
    rehearsal: HubRehearsal
    credentials: tuple[str, str] | None = None

    @property
    def others(self) -> DirectHubClient:
        return DirectHubClient(self.rehearsal)

    @property
    def endpoints(self) -> Endpoints:
        endpoints = self.rehearsal.endpoints
        if self.credentials is None:
            return endpoints
        user, token = self.credentials
        return replace(endpoints, credentials=(("username", Secret(user)), ("token", Secret(token))))

    @property
    def step(self) -> HubImage:
        """The last one."""
        return DockerHubProvider().push(self.project, self.settings)

    @property
    def nothing(self) -> Outputs:
        """What the repository's step needs."""
        return Outputs(self.step.repository, {})

    @property
    def monitor(self) -> Monitor:
        return Monitor(self.step.resource, self.heard.append, Cancel())

    def changes(self) -> dict[str, verbs.Change]:
        """What a push would do, by the step's kind."""
        return {each.resource.kind: each for each in self.plan().changes}

    def look(self) -> dict[str, Finding]:
        """What the doctor says, by subject."""
        return {each.subject: each for each in check_target(self.project, self.settings, self.endpoints)}


ANOTHER = "By mldeploy: mldeploy.app=another mldeploy.target=dockerhub"
"""The description of another app's repository."""


class DirectHubClient:
    """Asks as anybody would who has read the API's pages. token: the account's own, if no other one is named."""

    def __init__(self, rehearsal: HubRehearsal, token: str = "") -> None:
        endpoints = rehearsal.endpoints
        self._url, self._bundle = endpoints.url, str(endpoints.ca_bundle)
        self._registry = rehearsal.record.registry
        given = endpoints.credential("token")
        assert given is not None
        self.secret = token or given.reveal()

    def bearer(self, user: str = USER) -> str:
        answer = self.send("POST", "/v2/auth/token", {"identifier": user, "secret": self.secret}, bearer="")
        return str(answer.json()["access_token"])

    def send(self, method: str, path: str, body: object = None, *, bearer: str | None = None) -> requests.Response:
        shown = self.bearer() if bearer is None else bearer
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        with requests.Session() as session:
            session.trust_env = False
            session.verify = self._bundle
            return session.request(method, self._url + path, json=body, headers=headers, timeout=120)

    def make(self, name: str, description: str = "", *, private: bool = False, namespace: str = USER) -> None:
        body = {"name": name, "description": description, "is_private": private}
        assert self.send("POST", f"/v2/namespaces/{namespace}/repositories", body).status_code == 201

    def repository(self, name: str, namespace: str = USER) -> dict[str, Any] | None:
        answer = self.send("GET", f"/v2/namespaces/{namespace}/repositories/{name}")
        return dict(answer.json()) if answer.ok else None

    def tags(self, name: str, namespace: str = USER) -> list[str]:
        answer = self.send("GET", f"/v2/namespaces/{namespace}/repositories/{name}/tags?page_size=100")
        return [each["name"] for each in answer.json()["results"]]

    def retag(self, path: str, old: str, new: str) -> None:
        """Another tag for an image that is there, as `docker push` sets it."""
        query = {"service": "registry.docker.io", "scope": f"repository:{path}:pull,push"}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"http://{self._registry}/token", params=query, auth=(USER, self.secret), timeout=120)
            session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            base = f"http://{self._registry}/v2/{path}/manifests"
            kind = "application/vnd.docker.distribution.manifest.v2+json"
            manifest = session.get(f"{base}/{old}", headers={"Accept": kind}, timeout=120)
            put = session.put(f"{base}/{new}", data=manifest.content, headers={"Content-Type": kind}, timeout=120)
            assert put.status_code == 201
