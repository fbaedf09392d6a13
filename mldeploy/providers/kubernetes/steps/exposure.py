"""The steps of the app's exposure: its Service, Ingress and HTTPRoute; and its addresses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.kubernetes.api import DEPLOYMENT, HTTP_ROUTE, INGRESS, SERVICE, KubeClient, ObjectType
from mldeploy.providers.kubernetes.cloud import HasCluster
from mldeploy.providers.kubernetes.documents import Document, name_of, number, rows, text
from mldeploy.providers.kubernetes.errors import KubernetesError, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import render as manifests
from mldeploy.providers.kubernetes.manifests.canary import (
    canary_name,
    canary_percent,
    route_share,
    select_pods,
    selects_canary,
)
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings
from mldeploy.providers.kubernetes.steps.namespace import Namespace, ObjectStep, delete_by_key
from mldeploy.providers.kubernetes.watch import MultiWatch, Selection

ADMISSION_SECONDS = 15.0
"""The time for a Gateway to accept or reject a route."""


class ShareableStep(ObjectStep):
    """An object that divides the requests while a canary stands: then it stays as `Traffic` has left it."""

    def _has_canary(self, outs: Outputs) -> bool:
        kube = outs.get(self.cluster)
        return kube is not None and kube.get(DEPLOYMENT, canary_name(self.owner), self.space) is not None


@dataclass(frozen=True, eq=False)
class KubernetesService(ShareableStep):
    """Routes to the app's pods. A removal waits for the cloud to delete its load balancer."""

    kind: ClassVar[str] = "kubernetes-service"
    title: ClassVar[str] = "Expose the deployment"
    type: ClassVar[ObjectType] = SERVICE

    namespace: Namespace
    settings: InClusterSettings
    sticky: bool = False

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        made = manifests.service_manifest(self.owner, self.space, self.settings, sticky=self.sticky)
        is_shared = current is not None and selects_canary(self.owner, current) and self._has_canary(outs)
        return select_pods(made, self.owner.both) if is_shared else made

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        monitor.progress(Progress("", "waiting until its load balancer is deleted"))
        return delete_by_key(cloud, SERVICE, key, monitor)


@dataclass(frozen=True, eq=False)
class Ingress(ObjectStep):
    """Routes a host name to the Service, through the cluster's ingress controller."""

    kind: ClassVar[str] = "kubernetes-ingress"
    title: ClassVar[str] = "Create the ingress"
    type: ClassVar[ObjectType] = INGRESS

    namespace: Namespace
    settings: InClusterSettings
    service: KubernetesService

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.ingress_manifest(self.owner, self.space, self.settings, sticky=self.service.sticky)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, INGRESS, key, monitor)


@dataclass(frozen=True, eq=False)
class HttpRoute(ShareableStep):
    """Routes a host name to the Service, through a Gateway."""

    kind: ClassVar[str] = "kubernetes-http-route"
    title: ClassVar[str] = "Create the route"
    type: ClassVar[ObjectType] = HTTP_ROUTE

    namespace: Namespace
    settings: InClusterSettings
    service: KubernetesService

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        made = manifests.http_route_manifest(self.owner, self.space, self.settings)
        percent = canary_percent(self.owner, current) if current is not None else 0
        return route_share(self.owner, made, percent) if percent and self._has_canary(outs) else made

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Document] | None:
        seen = super().probe(cloud, outs)
        if seen is None or not any(map(rejection_reason, accepted_conditions(seen.out))):
            return seen
        return replace(seen, drift=(*seen.drift, "rejected by its Gateway → accepted"))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Document] | None, monitor: Monitor) -> Document:
        """Return once the Gateway has accepted the route, or after a timeout without a decision.

        Also raises RefusedError if the cluster does not have the Gateway API, an extension; VerdictError if the
        Gateway rejects the route.
        """
        try:
            made = super().apply(cloud, outs, seen, monitor)
        except KubernetesError as error:
            if error.status != 404:
                raise
            todo = "Install it (https://gateway-api.sigs.k8s.io), or choose another `ingress`."
            raise RefusedError(str(self.resource), "this cluster has no Gateway API", todo) from error
        with kubernetes_errors(str(self.resource)):
            return await_acceptance(outs[self.cluster], self.settings, made, monitor)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, HTTP_ROUTE, key, monitor)


def await_acceptance(kube: KubeClient, settings: InClusterSettings, made: Document, monitor: Monitor) -> Document:
    """Return the route once its Gateway has accepted it, or after a timeout without a decision.

    Raises VerdictError if the Gateway rejects it.
    """
    only = Selection(
        HTTP_ROUTE, text(made, "metadata", "namespace"), (("fieldSelector", f"metadata.name={name_of(made)}"),)
    )
    with MultiWatch(kube, (only,)) as watch:
        for _ in watch.rounds(monitor, ADMISSION_SECONDS):
            monitor.progress(Progress("", f"waiting for the Gateway {settings.gateway} to accept the route"))
            made = next(iter(watch.seen(only)), made)
            if conditions := accepted_conditions(made):
                _require_acceptance(settings, conditions)
                return made
    return made


def _require_acceptance(settings: InClusterSettings, conditions: tuple[Document, ...]) -> None:
    if refusal := next(filter(None, map(rejection_reason, conditions)), ""):
        where = f"Gateway {settings.gateway}"
        todo = (
            "Check `allowedRoutes` and `hostname` of its listeners: they must admit the namespace and `domain`. "
            "Check `gateway_listener`."
        )
        raise VerdictError(where, FailureDiagnosis(f"rejects the app's route: {refusal}", todo, About.PORT))


def app_url(kube: KubeClient, owner: Owner, namespace: str, settings: InClusterSettings) -> str:
    """Return the app's URL, "" while it has none."""
    if settings.way is ExposureKind.INGRESS:
        return f"{'https' if settings.tls_secret else 'http'}://{settings.domain}"
    if settings.way is ExposureKind.GATEWAY:
        return f"{'https' if settings.gateway_https else 'http'}://{settings.domain}"
    if settings.way is ExposureKind.CLUSTER_IP:
        return f"http://{owner.app}.{namespace}.svc"
    service = kube.get(SERVICE, owner.app, namespace)
    host = external_address(service) if service is not None and owner.owns(service) else ""
    return f"http://{host}" if host else ""


def external_address(exposed: Document) -> str:
    """Return the external address of a Service or an Ingress, an IP address or a name; "" while it has none."""
    for each in rows(exposed, "status", "loadBalancer", "ingress"):
        if host := text(each, "ip") or text(each, "hostname"):
            return f"[{host}]" if ":" in host else host
    return ""


def accepted_conditions(route: Document) -> tuple[Document, ...]:
    """Return the Accepted conditions of an HTTPRoute's Gateways for its current generation.

    https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus
    """
    generation = number(route, "metadata", "generation")
    conditions = (each for parent in rows(route, "status", "parents") for each in rows(parent, "conditions"))
    return tuple(
        each
        for each in conditions
        if text(each, "type") == "Accepted" and number(each, "observedGeneration") in (0, generation)
    )


def rejection_reason(admission: Document) -> str:
    """Return why a Gateway rejects a route, "" if it accepts it or has not decided yet."""
    if text(admission, "status") != "False":
        return ""
    message, reason = text(admission, "message"), text(admission, "reason")
    return f"{message} ({reason})" if message else reason
