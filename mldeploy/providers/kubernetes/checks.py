"""Checks of `mldeploy doctor` in a cluster: connection, permissions, extensions, name conflicts."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.client import RegistryClient
from mldeploy.providers.capabilities import Finding, error, ok, warning
from mldeploy.providers.kubernetes.api import (
    ACCESS_REVIEW,
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    NAMESPACE,
    KubeClient,
)
from mldeploy.providers.kubernetes.cloud import resolve_repository
from mldeploy.providers.kubernetes.documents import flag
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.permissions import NAMESPACE_RULES, RULES, RbacRule
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings, KubernetesSettings

SECONDS = 30.0
METRICS = "/apis/metrics.k8s.io/v1beta1"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1"


def check_target(
    project: Project, settings: KubernetesSettings, owner: Owner, endpoints: Endpoints
) -> Iterator[Finding]:
    """Check the kubeconfig, the cluster and the registry. Read-only."""
    try:
        access = authenticate(settings.context, endpoints)
    except MldeployError as problem:
        yield error("cluster", problem.what, problem.todo)
        return
    named = f"context {access.context}, " if access.context else ""
    yield from check_cluster(access.kube, project, settings, owner, named)
    try:
        repository = resolve_repository(owner.app, settings, endpoints)
        with RegistryClient(repository.enter()) as registry:
            registry.digest(repository.path, "latest")
        yield ok("registry", f"{repository.name} answers")
    except MldeployError as problem:
        yield error("registry", f"{problem.where}: {problem.what}", problem.todo)


def check_cluster(
    kube: KubeClient, project: Project, settings: InClusterSettings, owner: Owner, named: str = ""
) -> Iterator[Finding]:
    """Check a cluster, for every target in one. named: a prefix for the first finding."""
    try:
        with kubernetes_errors(f"cluster {kube.server}"):
            yield ok("cluster", f"{named}{kube.server} answers, version {kube.version()}")
            yield from _check_permissions(kube, settings, settings.space(owner.app))
            yield from _check_extensions(kube, settings)
            yield from _check_deployment_name(kube, owner, settings.space(owner.app))
        settings.check(project)
    except MldeployError as problem:
        yield error("cluster", f"{problem.where}: {problem.what}", problem.todo)


def _check_permissions(kube: KubeClient, settings: InClusterSettings, space: str) -> Iterator[Finding]:
    """Check permissions with SelfSubjectAccessReviews. https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""
    unused = {
        INGRESS: settings.way is not ExposureKind.INGRESS,
        HTTP_ROUTE: settings.way is not ExposureKind.GATEWAY,
        AUTOSCALER: settings.max is None,
    }
    rules = [rule for rule in RULES if not unused.get(rule.kind)]
    missing = [action for rule in rules for action in _missing_permissions(kube, rule, space)]
    todo = "Grant them: `mldeploy policy` prints a Role with all required permissions."
    if missing:
        yield error("permissions", f"no permission in {space} to {', '.join(missing)}", todo)
    else:
        yield ok("permissions", f"all required permissions in the namespace {space}")
    if lacking := [action for rule in NAMESPACE_RULES for action in _missing_permissions(kube, rule, "")]:
        if kube.get(NAMESPACE, space) is None:
            yield error(
                "namespace", f"{space} does not exist, and there is no permission to {', '.join(lacking)}", todo
            )
        else:
            yield ok("namespace", f"{space} exists")


def _missing_permissions(kube: KubeClient, rule: RbacRule, space: str) -> Iterator[str]:
    for verb in rule.verbs:
        attributes = {"namespace": space, "verb": verb, "group": rule.kind.group, "resource": rule.kind.plural}
        if rule.part:
            attributes["subresource"] = rule.part
        review = {
            "apiVersion": ACCESS_REVIEW.version,
            "kind": ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        if not flag(kube.create(ACCESS_REVIEW, review), "status", "allowed"):
            yield f"{verb} {rule.kind.resource}{'/' + rule.part if rule.part else ''}"


def _check_extensions(kube: KubeClient, settings: InClusterSettings) -> Iterator[Finding]:
    if settings.max is not None:
        if kube.serves(METRICS):
            yield ok("metrics", "the cluster has resource metrics")
        else:
            todo = "Install metrics-server, or remove `max` from the target's table."
            yield warning("metrics", "the cluster has no resource metrics, so autoscaling does not work", todo)
    if settings.way is ExposureKind.GATEWAY and not kube.serves(GATEWAYS):
        todo = "Install it (https://gateway-api.sigs.k8s.io), or choose another `ingress`."
        yield error("gateway", "the cluster has no Gateway API", todo)


def _check_deployment_name(kube: KubeClient, owner: Owner, space: str) -> Iterator[Finding]:
    deployment = kube.get(DEPLOYMENT, owner.app, space)
    if deployment is None:
        yield ok("deployment", f"{owner.app} does not exist in {space} yet: `mldeploy deploy` creates it")
    elif owner.owns(deployment):
        yield ok("deployment", f"{owner.app} in {space} belongs to the app")
    else:
        todo = "Choose another `namespace`, or another name for the app."
        yield error("deployment", f"{owner.app} exists in {space}, and mldeploy did not create it", todo)
