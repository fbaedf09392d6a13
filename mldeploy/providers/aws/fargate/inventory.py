"""What AWS itself says is the app's on this target: by tag where a service lists by tag, by name and tag elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mldeploy.core.step import Key, Resource
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate import (
    autoscaling,
    balancer,
    cluster,
    firewall,
    iam,
    listener,
    logs,
    targets,
    task_definition,
    tasks,
)
from mldeploy.providers.aws.fargate.cloud import FargateCloud


def inventory(cloud: FargateCloud, app: str) -> tuple[Resource, ...]:
    """Everything, needs last. Raises on any doubt: what cannot be listed might be there.

    The tagging API would be one call instead of seven, but it leaves out roles and lists clusters that are gone.
    """
    return tuple(thing for look in _LOOKS for thing in _asked(look, cloud, app))


Look = Callable[[FargateCloud, str], Iterator[Resource]]


def _asked(look: Look, cloud: FargateCloud, app: str) -> list[Resource]:
    with aws_errors(app, "ecs"):
        return list(look(cloud, app))


def _service(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    found = tasks.service(cloud, app)
    if found and found.ours:
        yield Resource("ecs-service", Key(app))


def _task_definition(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if task_definition.owned(cloud, app):
        yield Resource("task-definition", Key(app))


def _cluster(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if cluster.is_there(cloud, app):
        yield Resource("ecs-cluster", Key(app))


def _groups(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for purpose in firewall.purposes(cloud, app):
        yield Resource("security-group", Key(purpose, (app,)))


def _roles(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for purpose in iam.Purpose:
        if iam.is_there(cloud, Key(purpose, (app,))):
            yield Resource(iam.KINDS[purpose], Key(purpose, (app,)))


def _logs(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if logs.is_there(cloud, app):
        yield Resource("log-group", Key(app))


def _balanced(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for port in listener.ports(cloud, app):
        yield Resource("listener", Key(port, (app,)))
    if balancer.is_there(cloud, app):
        yield Resource("load-balancer", Key(app))
    if targets.is_there(cloud, app):
        yield Resource("target-group", Key(app))


def _scaled(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if autoscaling.find(cloud, app):
        yield Resource("autoscaling", Key(app))


_LOOKS: tuple[Look, ...] = (_scaled, _service, _balanced, _task_definition, _cluster, _groups, _roles, _logs)
