"""What `mldeploy doctor` looks at in a cluster: whether it answers, what we may do there, what is in the way."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.client import Registry
from mldeploy.providers.checks import Finding, error, ok, warning
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.kubeconfig import enter
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.permissions import NAMESPACE_RULES, RULES, Rule
from mldeploy.providers.kubernetes.reading import flag
from mldeploy.providers.kubernetes.registries import repository
from mldeploy.providers.kubernetes.settings import InClusterSettings, KubernetesSettings, Way
from mldeploy.providers.kubernetes.types import (
    ACCESS_REVIEW,
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    NAMESPACE,
)

SECONDS = 30.0
METRICS = "/apis/metrics.k8s.io/v1beta1"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1"


def look(project: Project, settings: KubernetesSettings, owner: Owner, endpoints: Endpoints) -> Iterator[Finding]:
    """The kubeconfig, the cluster, the registry. Reads only."""
    try:
        access = enter(settings.context, endpoints)
    except MldeployError as problem:
        yield error("cluster", problem.what, problem.todo)
        return
    named = f"context {access.context}, " if access.context else ""
    yield from in_cluster_look(access.kube, project, settings, owner, named)
    try:
        kept = repository(owner.app, settings, endpoints)
        with Registry(kept.enter()) as registry:
            registry.digest(kept.path, "latest")
        yield ok("registry", f"{kept.name} answers")
    except MldeployError as problem:
        yield error("registry", f"{problem.where}: {problem.what}", problem.todo)


def in_cluster_look(
    kube: Kube, project: Project, settings: InClusterSettings, owner: Owner, named: str = ""
) -> Iterator[Finding]:
    """What every target in a cluster needs of it. named: what else to say of it."""
    try:
        with kubernetes_errors(f"cluster {kube.server}"):
            yield ok("cluster", f"{named}{kube.server} answers, version {kube.version()}")
            yield from _permissions(kube, settings, settings.space(owner.app))
            yield from _extensions(kube, settings)
            yield from _names(kube, owner, settings.space(owner.app))
        settings.check(project)
    except MldeployError as problem:
        yield error("cluster", f"{problem.where}: {problem.what}", problem.todo)


def _permissions(kube: Kube, settings: InClusterSettings, space: str) -> Iterator[Finding]:
    """By what the server itself says of us. https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""
    unused = {
        INGRESS: settings.way is not Way.INGRESS,
        HTTP_ROUTE: settings.way is not Way.GATEWAY,
        AUTOSCALER: settings.max is None,
    }
    rules = [rule for rule in RULES if not unused.get(rule.kind)]
    missing = [action for rule in rules for action in _lacking(kube, rule, space)]
    todo = "Have it allowed: `mldeploy policy` prints a Role that has all that is needed."
    if missing:
        yield error("permissions", f"in {space} there is no permission to {', '.join(missing)}", todo)
    else:
        yield ok("permissions", f"everything that is needed in the namespace {space}")
    if lacking := [action for rule in NAMESPACE_RULES for action in _lacking(kube, rule, "")]:
        if kube.get(NAMESPACE, space) is None:
            yield error("namespace", f"there is no {space}, and no permission to {', '.join(lacking)}", todo)
        else:
            yield ok("namespace", f"{space} is there")


def _lacking(kube: Kube, rule: Rule, space: str) -> Iterator[str]:
    for verb in rule.verbs:
        asked = {"namespace": space, "verb": verb, "group": rule.kind.group, "resource": rule.kind.plural}
        if rule.part:
            asked["subresource"] = rule.part
        review = {
            "apiVersion": ACCESS_REVIEW.version,
            "kind": ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        if not flag(kube.create(ACCESS_REVIEW, review), "status", "allowed"):
            yield f"{verb} {rule.kind.resource}{'/' + rule.part if rule.part else ''}"


def _extensions(kube: Kube, settings: InClusterSettings) -> Iterator[Finding]:
    if settings.max is not None:
        if kube.serves(METRICS):
            yield ok("metrics", "the cluster measures what its pods use")
        else:
            todo = "Install metrics-server, or take `max` out of the target's table."
            yield warning("metrics", "the cluster has no metrics: autoscaling would never scale", todo)
    if settings.way is Way.GATEWAY and not kube.serves(GATEWAYS):
        todo = "Install it (https://gateway-api.sigs.k8s.io), or choose another `ingress`."
        yield error("gateway", "the cluster has no Gateway API", todo)


def _names(kube: Kube, owner: Owner, space: str) -> Iterator[Finding]:
    found = kube.get(DEPLOYMENT, owner.app, space)
    if found is None:
        yield ok("deployment", f"there is no {owner.app} in {space} yet: `mldeploy deploy` makes it")
    elif owner.owns(found):
        yield ok("deployment", f"{owner.app} in {space} is the app's")
    else:
        todo = "Choose another `namespace`, or another name for the app."
        yield error("deployment", f"{owner.app} is there in {space}, and mldeploy did not make it", todo)
