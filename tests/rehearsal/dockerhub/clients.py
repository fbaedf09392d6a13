"""Whoever asks the stand-in: its API with a bearer, its registry with a token, as their pages say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import requests

from mldeploy.rehearsal.dockerhub import HubRehearsal
from mldeploy.rehearsal.dockerhub.repositories import USER

SERVICE = "registry.docker.io"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Clients:
    """secret: the access token that is shown; the first one of the rehearsal's user."""

    def __init__(self, rehearsal: HubRehearsal) -> None:
        self.rehearsal = rehearsal
        given = rehearsal.endpoints.credential("token")
        assert given is not None
        self.secret = given.reveal()
        self.registry = f"http://{rehearsal.record.registry}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = MANIFEST
        self._session.verify = str(rehearsal.endpoints.ca_bundle)

    def close(self) -> None:
        self._session.close()

    def bearer(self, secret: str = "", user: str = USER) -> str:
        answer = self.ask("POST", "/v2/auth/token", {"identifier": user, "secret": secret or self.secret}, bearer="")
        return str(answer.json().get("access_token", ""))

    def ask(self, method: str, path: str, body: object = None, *, bearer: str | None = None) -> requests.Response:
        """A call of the API; with the user's bearer, if none is given."""
        shown = self.bearer() if bearer is None else bearer
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        url = self.rehearsal.endpoints.url + path
        return self._session.request(method, url, json=body, headers=headers, timeout=120)

    def create(self, body: Mapping[str, object], namespace: str = USER, bearer: str | None = None) -> requests.Response:
        return self.ask("POST", f"/v2/namespaces/{namespace}/repositories", body, bearer=bearer)

    def token(self, scope: str, secret: str = "", user: str = USER) -> requests.Response:
        """Of the registry's server for tokens; anonymous without a user."""
        query = {"service": SERVICE, "scope": scope}
        auth = (user, secret or self.secret) if user else None
        return self._session.get(f"{self.registry}/token", params=query, auth=auth, timeout=120)

    def fetch(self, method: str, path: str, token: str = "", **options: Any) -> requests.Response:
        """A request to the registry."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return self._session.request(method, f"{self.registry}/v2/{path}", headers=headers, timeout=120, **options)

    def push(self, path: str, tag: str, token: str) -> requests.Response:
        """A manifest with an empty configuration and no layers."""
        content = b"{}"
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.fetch("POST", f"{path}/blobs/uploads/", token)
        if begun.status_code != 202:
            return begun
        location = begun.headers["Location"].partition("/v2/")[2]
        self.fetch("PUT", f"{location}&digest={digest}", token, data=content)
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(content), "digest": digest}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return self.fetch("PUT", f"{path}/manifests/{tag}", token, json=manifest, headers={"Content-Type": MANIFEST})
