"""The clients of the target."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from google.cloud.container_v1 import ClusterManagerClient
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport

from mldeploy.image.engine import Engine
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.apis import CONTAINER
from mldeploy.providers.gcp.calls import channel
from mldeploy.providers.gcp.cloud import GRPC, GcpCloud, artifacts
from mldeploy.providers.gcp.compute import Compute
from mldeploy.providers.gcp.errors import GcpError
from mldeploy.providers.gcp.gke.access import kube_of
from mldeploy.providers.gcp.gke.clusters import State, find, where
from mldeploy.providers.gcp.gke.settings import TARGET, GkeSettings
from mldeploy.providers.gcp.repository import TARGET as REGISTRY
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner


@dataclass(frozen=True)
class GkeCloud(GcpCloud):
    """What the registry needs, and the services that a cluster and what is in it are made of.

    cluster: the name of the app's cluster, its own or one that is used. space: the app's namespace in it.
    """

    cluster: str
    space: str
    clusters: ClusterManagerClient
    compute: Compute
    _known: dict[str, Kube] = field(default_factory=dict, repr=False)
    _mutex: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, engine: Engine, account: Account, app: str, settings: GkeSettings) -> GkeCloud:
        """With all clients made. Raises nothing: no call is made."""
        endpoints = account.endpoints
        address = endpoints.service(GRPC) or CONTAINER
        transport = ClusterManagerGrpcTransport(channel=channel(account.identity, address, endpoints.ca_bundle))
        return cls(
            engine,
            account,
            app,
            settings.repository or app,
            REGISTRY,
            artifacts(account),
            settings.cluster or app,
            settings.space(app),
            ClusterManagerClient(transport=transport),
            Compute(account),
        )

    @property
    def owner(self) -> Owner:
        return Owner(self.app, TARGET)

    def kube(self, cluster: tuple[str, ...]) -> Kube | None:
        """`mldeploy.providers.kubernetes.cluster.HasCluster`; cluster: its name, in our location.

        A cluster that is still being made, is going, or never came up has nothing in it that would outlive it.
        """
        (name,) = cluster
        with self._mutex:
            if name not in self._known:
                found = find(self, name)
                if found is None or found.state in (State.COMING, State.GOING):
                    return None
                if found.state is State.BROKEN:
                    if not found.missing(self.app):
                        return None
                    raise GcpError(where(name), f"is in error: {found.complaint}", "Whoever made it has to mend it.")
                self._known[name] = kube_of(self.account.identity, found)
            return self._known[name]
