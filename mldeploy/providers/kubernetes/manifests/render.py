"""Render all manifests of a deployment, for `mldeploy manifests`."""

from __future__ import annotations

from mldeploy.config.settings import Project
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.capabilities import Manifests, omit_hidden
from mldeploy.providers.kubernetes.api import HTTP_ROUTE, INGRESS, SECRET, SERVICE
from mldeploy.providers.kubernetes.documents import Document
from mldeploy.providers.kubernetes.labels import Owner, object_metadata
from mldeploy.providers.kubernetes.manifests import environment as env
from mldeploy.providers.kubernetes.manifests.environment import (
    ContainerEnvironment,
    namespace_manifest,
    pull_secret_manifest,
    pull_secret_name,
)
from mldeploy.providers.kubernetes.manifests.workload import (
    PORT,
    Workload,
    autoscaler_manifest,
    deployment_manifest,
    disruption_budget_manifest,
)
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings


def render_manifests(
    owner: Owner,
    project: Project,
    settings: InClusterSettings,
    image: str,
    *,
    access: RegistryAccess | None = None,
    secrets: bool = False,
) -> Manifests:
    """Return all manifests in the order in which they are applied. Pure.

    access: the pull credentials; None if the nodes have their own. secrets: include Secrets with their values.
    """
    settings.check(project)
    documents = (
        *_base_manifests(owner, project, settings, access),
        *_workload_manifests(owner, project, settings, image, access),
    )
    hidden = () if secrets else tuple(each for each in documents if each["kind"] == SECRET.kind)
    return omit_hidden(documents, hidden)


def _base_manifests(
    owner: Owner, project: Project, settings: InClusterSettings, access: RegistryAccess | None
) -> tuple[Document, ...]:
    space, environment = settings.space(owner.app), ContainerEnvironment.of(project.app)
    return (
        namespace_manifest(owner, space),
        env.config_map_manifest(owner, space, environment),
        *((env.secret_manifest(owner, space, environment),) if environment.secret else ()),
        *((pull_secret_manifest(owner, space, access),) if access else ()),
    )


def _workload_manifests(
    owner: Owner, project: Project, settings: InClusterSettings, image: str, access: RegistryAccess | None
) -> tuple[Document, ...]:
    space, environment = settings.space(owner.app), ContainerEnvironment.of(project.app)
    work = Workload(
        image,
        settings.count(0),
        (env.config_map_name(owner, environment),),
        (env.secret_name(owner, environment),) if environment.secret else (),
        pull_secret_name(owner) if access else "",
    )
    sticky = project.app.keeps_sessions
    routes = {
        ExposureKind.INGRESS: lambda: ingress_manifest(owner, space, settings, sticky=sticky),
        ExposureKind.GATEWAY: lambda: http_route_manifest(owner, space, settings),
    }
    return (
        deployment_manifest(owner, space, project, settings, work),
        service_manifest(owner, space, settings, sticky=sticky),
        disruption_budget_manifest(owner, space, settings),
        *((routes[settings.way](),) if settings.way in routes else ()),
        *((autoscaler_manifest(owner, space, settings),) if settings.max else ()),
    )


SERVICE_PORT = 80
"""The Service's port."""
ISSUER = "cert-manager.io/cluster-issuer"
NGINX_AFFINITY = {"nginx.ingress.kubernetes.io/affinity": "cookie"}
"""ingress-nginx goes past the Service to the pods: https://kubernetes.github.io/ingress-nginx/examples/affinity/cookie/."""


def service_manifest(owner: Owner, namespace: str, settings: InClusterSettings, *, sticky: bool = False) -> Document:
    """Return the Service. sticky: a client reaches the same pod each time. https://kubernetes.io/docs/concepts/services-networking/service/"""
    return {
        "apiVersion": SERVICE.version,
        "kind": SERVICE.kind,
        "metadata": object_metadata(
            owner, owner.app, namespace, labels=settings.labels, annotations=settings.service_annotations
        ),
        "spec": {
            "type": "LoadBalancer" if settings.way is ExposureKind.LOAD_BALANCER else "ClusterIP",
            "selector": owner.selector,
            "ports": [{"name": PORT, "port": SERVICE_PORT, "targetPort": PORT, "protocol": "TCP"}],
            **({"sessionAffinity": "ClientIP"} if sticky else {}),
        },
    }


def ingress_manifest(owner: Owner, namespace: str, settings: InClusterSettings, *, sticky: bool = False) -> Document:
    """Return the Ingress. sticky: as `service_manifest`, by a cookie. https://kubernetes.io/docs/concepts/services-networking/ingress/"""
    backend = {"service": {"name": owner.app, "port": {"name": PORT}}}
    rule = {"host": settings.domain, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: dict[str, object] = {"rules": [rule]}
    if settings.ingress_class:
        spec["ingressClassName"] = settings.ingress_class
    if settings.tls_secret:
        spec["tls"] = [{"hosts": [settings.domain], "secretName": settings.tls_secret}]
    notes = {ISSUER: settings.cluster_issuer} if settings.cluster_issuer else {}
    notes = {**(NGINX_AFFINITY if sticky else {}), **notes, **settings.ingress_annotations}
    return {
        "apiVersion": INGRESS.version,
        "kind": INGRESS.kind,
        "metadata": object_metadata(owner, owner.app, namespace, labels=settings.labels, annotations=notes),
        "spec": spec,
    }


def http_route_manifest(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """Return the HTTPRoute. https://gateway-api.sigs.k8s.io/api-types/httproute/"""
    where, _, name = settings.gateway.rpartition("/")
    parent = {"name": name, **({"namespace": where} if where else {})}
    if settings.gateway_listener:
        parent["sectionName"] = settings.gateway_listener
    return {
        "apiVersion": HTTP_ROUTE.version,
        "kind": HTTP_ROUTE.kind,
        "metadata": object_metadata(owner, owner.app, namespace, labels=settings.labels),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [settings.domain],
            "rules": [{"backendRefs": [{"name": owner.app, "port": SERVICE_PORT}]}],
        },
    }
