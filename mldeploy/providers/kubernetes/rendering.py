"""All manifests of a deployment, beforehand: what `mldeploy manifests` prints."""

from __future__ import annotations

from mldeploy.config.settings import Project
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import environment as env
from mldeploy.providers.kubernetes.manifests.deployment import Workload, deployment
from mldeploy.providers.kubernetes.manifests.environment import Environment
from mldeploy.providers.kubernetes.manifests.exposure import http_route, ingress, service
from mldeploy.providers.kubernetes.manifests.scaling import autoscaler, disruption_budget
from mldeploy.providers.kubernetes.manifests.space import namespace, pull_secret, pull_secret_name
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.types import SECRET
from mldeploy.providers.manifests import Manifests, without


def manifests(
    owner: Owner,
    project: Project,
    settings: InClusterSettings,
    image: str,
    *,
    access: RegistryAccess | None = None,
    secrets: bool = False,
) -> Manifests:
    """Everything, in the order in which it is applied. Pure.

    access: what the cluster pulls with, None if it has access of its own. secrets: those that hold a value, too.
    """
    settings.check(project)
    documents = (*_before(owner, project, settings, access), *_running(owner, project, settings, image, access))
    hidden = () if secrets else tuple(each for each in documents if each["kind"] == SECRET.kind)
    return without(documents, hidden)


def _before(
    owner: Owner, project: Project, settings: InClusterSettings, access: RegistryAccess | None
) -> tuple[Document, ...]:
    space, environment = settings.space(owner.app), Environment.of(project.app)
    return (
        namespace(owner, space),
        env.config_map(owner, space, environment),
        *((env.secret(owner, space, environment),) if environment.secret else ()),
        *((pull_secret(owner, space, access),) if access else ()),
    )


def _running(
    owner: Owner, project: Project, settings: InClusterSettings, image: str, access: RegistryAccess | None
) -> tuple[Document, ...]:
    space, environment = settings.space(owner.app), Environment.of(project.app)
    work = Workload(
        image,
        settings.count(0),
        (env.config_map_name(owner, environment),),
        (env.secret_name(owner, environment),) if environment.secret else (),
        pull_secret_name(owner) if access else "",
    )
    routes = {Way.INGRESS: ingress, Way.GATEWAY: http_route}
    return (
        deployment(owner, space, project, settings, work),
        service(owner, space, settings),
        disruption_budget(owner, space),
        *((routes[settings.way](owner, space, settings),) if settings.way in routes else ()),
        *((autoscaler(owner, space, settings),) if settings.max else ()),
    )
