"""A client for a cluster's API: its address, its CA, and Google's own token, without kubectl or a plugin of it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mldeploy.config.paths import cache_folder
from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.identity import Identity
from mldeploy.providers.kubernetes.api import Kube, prepare
from mldeploy.providers.kubernetes.sdk import ApiClient, Configuration

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.clusters import Found

HEADER = "authorization"


class TokenClient(ApiClient):
    """Renews a token that is refused before its time, and asks once more."""

    def __init__(self, configuration: Configuration, identity: Identity) -> None:
        super().__init__(configuration)
        self._identity = identity

    def call_api(
        self,
        method: str,
        url: str,
        header_params: dict[str, str] | None = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
    ) -> Any:
        answer = super().call_api(method, url, header_params, body, post_params, _request_timeout)
        if answer.status != 401 or header_params is None:
            return answer
        answer.response.close()
        self._identity.renew(Secret(header_params.get(HEADER, "").removeprefix("Bearer ")))
        again = {**header_params, HEADER: _bearer(self._identity)}
        return super().call_api(method, url, again, body, post_params, _request_timeout)


def kube_of(identity: Identity, cluster: Found) -> Kube:
    """Makes no call, unless the token has to be renewed. It is renewed whenever it is about to end."""
    configuration = Configuration(host=f"https://{cluster.address}")
    if cluster.ca:
        configuration.ssl_ca_cert = kept(cluster.ca)

    def refresh(asked: Configuration) -> None:
        asked.api_key[HEADER] = _bearer(identity)

    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]  # its type is that of None
    refresh(configuration)  # without a key there the SDK never asks for one
    return Kube(TokenClient(prepare(configuration), identity))


def kept(ca: str) -> str:
    """Where a CA stands: the SDK's websockets take it from a file alone.

    Its name is its digest, so that a cluster has one however many commands were killed. Raises ConfigError if the user
    has no home.
    """
    path = cache_folder() / "clusters" / f"{hashlib.sha256(ca.encode()).hexdigest()}.pem"
    if not path.is_file() or path.read_text() != ca:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, draft = tempfile.mkstemp(prefix=".", dir=path.parent)  # nobody else writes to it, or reads half of it
        with os.fdopen(handle, "w") as file:
            file.write(ca)
        Path(draft).replace(path)
    return str(path)


def _bearer(identity: Identity) -> str:
    return f"Bearer {identity.token().reveal()}"
