"""What AWS itself says is the app's on this target: by tag where a service lists by tag, by name and tag elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    secrets,
    targets,
    task_definition,
    tasks,
    trial_route,
    trial_task,
)
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import is_owned, read_tags
from mldeploy.providers.aws.fargate.task_definition import FAILED, STATE_TAG, list_revision_arns, revision_number
from mldeploy.providers.aws.fargate.task_roles import Purpose
from mldeploy.providers.aws.fargate.task_spec import parse_task_spec as spec_of
from mldeploy.providers.aws.fargate.tasks import format_time


def list_resources(cloud: FargateCloud, app: str) -> tuple[Resource, ...]:
    """Everything, needs last. Raises on any doubt: what cannot be listed might be there.

    The tagging API would be one call instead of seven, but it leaves out roles and lists clusters that are gone.
    """
    return tuple(resource for listing in _LISTINGS for resource in _run_listing(listing, cloud, app))


ResourceListing = Callable[[FargateCloud, str], Iterator[Resource]]


def _run_listing(listing: ResourceListing, cloud: FargateCloud, app: str) -> list[Resource]:
    with aws_errors(app, "ecs"):
        return list(listing(cloud, app))


def _service(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    service = tasks.describe_service(cloud, app)
    if service and service.ours:
        yield Resource("ecs-service", Key(app))


def _task_definition(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if task_definition.list_owned_arns(cloud, app):
        yield Resource("task-definition", Key(app))


def _cluster(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if cluster.owned_cluster_exists(cloud, app):
        yield Resource("ecs-cluster", Key(app))


def _groups(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for purpose in firewall.list_purposes(cloud, app):
        yield Resource("security-group", Key(purpose, (app,)))


def _roles(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for purpose in Purpose:
        if iam.owned_role_exists(cloud, Key(purpose, (app,))):
            yield Resource(iam.KINDS[purpose], Key(purpose, (app,)))


def _logs(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if logs.owned_log_group_exists(cloud, app):
        yield Resource("log-group", Key(app))


def _balanced(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for port in listener.list_owned_ports(cloud, app):
        yield Resource("listener", Key(port, (app,)))
    if balancer.owned_balancer_exists(cloud, app):
        yield Resource("load-balancer", Key(app))
    for purpose in ("", trial_route.TRIAL):
        if targets.owned_target_group_exists(cloud, app, purpose):
            yield Resource("target-group", targets.target_group_key(app, purpose))
    if trial_route.owned_rule_exists(cloud, app):
        yield Resource("trial-rule", Key(app))


def _trial(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if trial_task.list_trial_tasks(cloud, app):
        yield Resource("golden-trial", Key(app))


def _scaled(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if autoscaling.describe_scaling(cloud, app):
        yield Resource("autoscaling", Key(app))


def _secrets(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for each in secrets.list_owned_names(cloud, app):
        yield Resource("fargate-secret", Key(each, (app,)))


_LISTINGS: tuple[ResourceListing, ...] = (
    _scaled,
    _service,
    _trial,
    _balanced,
    _task_definition,
    _cluster,
    _groups,
    _roles,
    _logs,
    _secrets,
)


MAX_REVISIONS = 50


@dataclass(frozen=True)
class TaskRevision:
    """One revision. image: by digest. created: ISO 8601, UTC. failed: it was rolled out, and could not serve."""

    arn: str
    image: str
    port: int
    created: str
    failed: bool

    @property
    def number(self) -> int:
        return revision_number(self.arn)


def list_revisions(cloud: FargateCloud, app: str) -> tuple[TaskRevision, ...]:
    """The newest first, the last SHOWN of them."""
    newest = sorted(list_revision_arns(cloud, app), key=revision_number, reverse=True)[:MAX_REVISIONS]
    return tuple(entry for entry in (_describe_revision(cloud, each, app) for each in newest) if entry)


def _describe_revision(cloud: FargateCloud, arn: str, app: str) -> TaskRevision | None:
    response = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    tags, definition = read_tags(response.get("tags", ())), response["taskDefinition"]
    if not is_owned(tags, app):
        return None
    spec, created = spec_of(definition), definition.get("registeredAt")
    return TaskRevision(arn, spec.image, spec.port, format_time(created), tags.get(STATE_TAG) == FAILED)
