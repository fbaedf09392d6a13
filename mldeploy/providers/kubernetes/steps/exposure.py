"""How the app is reached: a Service, and what leads to it from outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.running.causes import About, Diagnosis
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import HasCluster
from mldeploy.providers.kubernetes.errors import KubernetesError, kubernetes_errors
from mldeploy.providers.kubernetes.manifests import exposure as manifests
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.running.addresses import admissions, refusal_of
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import ObjectStep, removed
from mldeploy.providers.kubernetes.types import HTTP_ROUTE, INGRESS, SERVICE, ObjectType
from mldeploy.providers.kubernetes.watching import Selection, Watch

ADMISSION_SECONDS = 15.0
"""A Gateway that exists and is looked after says within moments what it thinks of a route."""


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

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        seen = super().probe(cloud, outs)
        if seen is None or not any(map(refusal_of, admissions(seen.out))):
            return seen
        return replace(seen, drift=(*seen.drift, "is not let in by its Gateway → is let in"))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Document] | None, monitor: Monitor) -> Document:
        """Returns once its Gateway has let it in, or after a while if none says anything of it.

        Raises RefusedError, too, if the cluster does not know the Gateway API: it is an extension; VerdictError if
        the Gateway does not let it in.
        """
        try:
            made = super().apply(cloud, outs, seen, monitor)
        except KubernetesError as error:
            if error.status != 404:
                raise
            todo = "Install it (https://gateway-api.sigs.k8s.io), or choose another `ingress`."
            raise RefusedError(str(self.resource), "this cluster has no Gateway API", todo) from error
        with kubernetes_errors(str(self.resource)):
            return self._admitted(outs[self.cluster], made, monitor)

    def _admitted(self, kube: Kube, made: Document, monitor: Monitor) -> Document:
        only = Selection(HTTP_ROUTE, self.space, (("fieldSelector", f"metadata.name={self.name()}"),))
        with Watch(kube, (only,)) as watch:
            for _ in watch.rounds(monitor, ADMISSION_SECONDS):
                monitor.progress(Progress("", f"waiting until the Gateway {self.settings.gateway} lets it in"))
                made = next(iter(watch.seen(only)), made)
                if said := admissions(made):
                    self._check(said)
                    return made
        return made

    def _check(self, said: tuple[Document, ...]) -> None:
        if refusal := next(filter(None, map(refusal_of, said)), ""):
            where = f"Gateway {self.settings.gateway}"
            todo = (
                "See `allowedRoutes` and `hostname` of its listeners: they must admit the namespace and `domain`; and "
                "`gateway_listener`."
            )
            raise VerdictError(where, Diagnosis(f"does not let the app in: {refusal}", todo, About.PORT))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, HTTP_ROUTE, key, monitor)
