"""The clients of the target `gke`."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud.container_v1 import ClusterManagerClient
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport

from mldeploy.config.paths import cache_folder
from mldeploy.config.secret import Secret
from mldeploy.core.files import read_text
from mldeploy.core.scratch import replace_file
from mldeploy.image.engine import Engine
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.apis import CONTAINER
from mldeploy.providers.gcp.calls import open_channel
from mldeploy.providers.gcp.cloud import GRPC, GcpCloud, create_artifact_client
from mldeploy.providers.gcp.errors import GcpError
from mldeploy.providers.gcp.gke.clusters import ClusterState, find_cluster, where
from mldeploy.providers.gcp.gke.settings import TARGET, GkeSettings
from mldeploy.providers.gcp.identity import GoogleCredentials
from mldeploy.providers.gcp.repository import TARGET as REGISTRY
from mldeploy.providers.gcp.rest import ComputeClient
from mldeploy.providers.kubernetes.api import KubeClient, configure_client
from mldeploy.providers.kubernetes.errors import ApiClient, Configuration
from mldeploy.providers.kubernetes.labels import Owner

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.clusters import ClusterInfo


@dataclass(frozen=True)
class GkeCloud(GcpCloud):
    """The clients of the registry and of Kubernetes Engine.

    cluster: the name of the app's own or shared cluster. space: the app's namespace in it.
    """

    cluster: str
    space: str
    clusters: ClusterManagerClient
    compute: ComputeClient
    _kube_clients: dict[str, KubeClient] = field(default_factory=dict, repr=False)
    _mutex: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, engine: Engine, account: GcpProject, app: str, settings: GkeSettings) -> GkeCloud:
        """Create all clients. Makes no call."""
        endpoints = account.endpoints
        address = endpoints.service(GRPC) or CONTAINER
        transport = ClusterManagerGrpcTransport(channel=open_channel(account.identity, address, endpoints.ca_bundle))
        return cls(
            engine,
            account,
            app,
            settings.repository or app,
            REGISTRY,
            create_artifact_client(account),
            settings.cluster or app,
            settings.space(app),
            ClusterManagerClient(transport=transport),
            ComputeClient(account),
        )

    @property
    def owner(self) -> Owner:
        return Owner(self.app, TARGET)

    def kube(self, cluster: tuple[str, ...]) -> KubeClient | None:
        """`mldeploy.providers.kubernetes.cloud.HasCluster`; cluster: its name.

        None for a cluster that does not exist, is being created or deleted, or failed to start.
        """
        (name,) = cluster
        with self._mutex:
            if name not in self._kube_clients:
                existing = find_cluster(self, name)
                if existing is None or existing.state in (ClusterState.COMING, ClusterState.GOING):
                    return None
                if existing.state is ClusterState.BROKEN:
                    if not existing.missing_labels(self.app):
                        return None
                    raise GcpError(where(name), f"is in error: {existing.complaint}", "Its owner must repair it.")
                self._kube_clients[name] = create_kube_client(self.account, existing)
            return self._kube_clients[name]


HEADER = "authorization"


class TokenClient(ApiClient):
    """If the cluster rejects the token, renews it and retries once."""

    def __init__(self, configuration: Configuration, identity: GoogleCredentials) -> None:
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
        response = super().call_api(method, url, header_params, body, post_params, _request_timeout)
        if response.status != 401 or header_params is None:
            return response
        response.response.close()
        self._identity.renew(Secret(header_params.get(HEADER, "").removeprefix("Bearer ")))
        again = {**header_params, HEADER: _bearer(self._identity)}
        return super().call_api(method, url, again, body, post_params, _request_timeout)


def create_kube_client(account: GcpProject, cluster: ClusterInfo) -> KubeClient:
    """A client that renews its token before it expires. Makes no call, unless the token is expired."""
    identity = account.identity
    configuration = Configuration(host=f"https://{cluster.address}", ssl_ca_cert=trusted_file(account, cluster))

    def refresh(config: Configuration) -> None:
        config.api_key[HEADER] = _bearer(identity)

    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]  # its type is that of None
    refresh(configuration)  # without an initial key the SDK never calls the hook
    return KubeClient(TokenClient(configure_client(configuration), identity))


def trusted_file(account: GcpProject, cluster: ClusterInfo) -> str | None:
    """The certificates to trust: the cluster's own authority, or None for the public ones."""
    if not cluster.has_public_certificate:
        return cache_ca_file(cluster.ca) if cluster.ca else None
    return str(account.endpoints.ca_bundle) if account.endpoints.ca_bundle else None


def cache_ca_file(ca: str) -> str:
    """Write a CA certificate to the cache and return its path, because the SDK's websockets need a file.

    The file name is the digest, so that repeated commands reuse the file. Raises ConfigError if the user has no home.
    """
    path = cache_folder() / "clusters" / f"{hashlib.sha256(ca.encode()).hexdigest()}.pem"
    if _read_cached(path) != ca:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, ca)
    return str(path)


def _read_cached(path: Path) -> str | None:
    try:
        return read_text(path)
    except OSError:
        return None


def _bearer(identity: GoogleCredentials) -> str:
    return f"Bearer {identity.token().reveal()}"
