"""How the app is reached: a Service, and what leads to it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.kubernetes.cluster import HasCluster
from mldeploy.providers.kubernetes.errors import KubernetesError
from mldeploy.providers.kubernetes.manifests import exposure as manifests
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import ObjectStep, removed
from mldeploy.providers.kubernetes.types import HTTP_ROUTE, INGRESS, SERVICE, ObjectType


@dataclass(frozen=True, eq=False)
class Service(ObjectStep):
    """Leads to the app's pods. A removal takes as long as a cloud's load balancer takes to go."""

    kind: ClassVar[str] = "kubernetes-service"
    title: ClassVar[str] = "Expose the deployment"
    type: ClassVar[ObjectType] = SERVICE

    namespace: Namespace
    settings: InClusterSettings

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.service(self.owner, self.space, self.settings)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        monitor.progress(Progress("", "waiting until its load balancer is gone"))
        return removed(cloud, SERVICE, key, monitor)


@dataclass(frozen=True, eq=False)
class Ingress(ObjectStep):
    """Leads from a host name to the Service, through the cluster's ingress controller."""

    kind: ClassVar[str] = "kubernetes-ingress"
    title: ClassVar[str] = "Create the ingress"
    type: ClassVar[ObjectType] = INGRESS

    namespace: Namespace
    settings: InClusterSettings
    service: Service

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.ingress(self.owner, self.space, self.settings)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, INGRESS, key, monitor)


@dataclass(frozen=True, eq=False)
class HttpRoute(ObjectStep):
    """Leads from a host name to the Service, through a Gateway."""

    kind: ClassVar[str] = "kubernetes-http-route"
    title: ClassVar[str] = "Create the route"
    type: ClassVar[ObjectType] = HTTP_ROUTE

    namespace: Namespace
    settings: InClusterSettings
    service: Service

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.http_route(self.owner, self.space, self.settings)

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Document] | None, monitor: Monitor) -> Document:
        """Raises RefusedError, too, if the cluster does not know the Gateway API: it is an extension."""
        try:
            return super().apply(cloud, outs, seen, monitor)
        except KubernetesError as error:
            if error.status != 404:
                raise
            todo = "Install it (https://gateway-api.sigs.k8s.io), or choose another `ingress`."
            raise RefusedError(str(self.resource), "this cluster has no Gateway API", todo) from error

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, HTTP_ROUTE, key, monitor)
