"""What AWS itself says is the app's on this target: by tag where a service lists by tag, by name and tag elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mldeploy.core.step import Key, Resource
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate import (
    autoscaling,
    balancer,
    canary,
    certificate,
    cluster,
    domain,
    firewall,
    header_rule,
    iam,
    listener,
    logs,
    secrets,
    targets,
    task_definition,
    tasks,
    trial_task,
)
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags
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
    standing = canary.find_canary(cloud, app)
    if standing and standing.service:
        yield Resource("ecs-service", canary.service_key(app))


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
    for purpose in ("", header_rule.TRIAL, header_rule.CANARY):
        if targets.owned_target_group_exists(cloud, app, purpose):
            yield Resource("target-group", targets.target_group_key(app, purpose))
    for purpose in header_rule.list_rule_purposes(cloud, app):
        yield Resource("trial-rule", header_rule.header_rule_key(app, purpose))


def _trial(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if trial_task.list_trial_tasks(cloud, app):
        yield Resource("golden-trial", Key(app))


def _scaled(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    if autoscaling.describe_scaling(cloud, app):
        yield Resource("autoscaling", Key(app))


def _domains(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    """By tag, so that who has no domain needs no permission for certificates."""
    wanted = [{"Key": tag, "Values": [value]} for tag, value in owner_tags(app).items()]
    pages = cloud.tagging.get_paginator("get_resources").paginate(
        TagFilters=wanted,  # type: ignore[arg-type]
        ResourceTypeFilters=["acm:certificate"],
    )
    arns = [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]
    for name, leads_here in domain.list_domains(cloud, app, certificate.read_domains(cloud, arns)).items():
        if leads_here:
            yield Resource("domain-record", Key(name, (app,)))
        yield Resource("certificate", Key(name, (app,)))


def _secrets(cloud: FargateCloud, app: str) -> Iterator[Resource]:
    for each in secrets.list_owned_names(cloud, app):
        yield Resource("fargate-secret", Key(each, (app,)))


_LISTINGS: tuple[ResourceListing, ...] = (
    _scaled,
    _service,
    _trial,
    _domains,
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
    return tuple(entry for entry in (describe_task_revision(cloud, each, app) for each in newest) if entry)


def describe_task_revision(cloud: FargateCloud, arn: str, app: str) -> TaskRevision | None:
    """A revision; None if it is not ours."""
    response = cloud.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    tags, definition = read_tags(response.get("tags", ())), response["taskDefinition"]
    if not is_owned(tags, app):
        return None
    spec, created = spec_of(definition), definition.get("registeredAt")
    return TaskRevision(arn, spec.image, spec.port, format_time(created), tags.get(STATE_TAG) == FAILED)
