"""What ECS says of a service, its deployments and its tasks, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from mldeploy.providers.aws.fargate.answers import passing
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import is_ours, name, read
from mldeploy.providers.aws.fargate.task_spec import CONTAINER

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef, TaskTypeDef

AT_ONCE = 100
"""So many tasks DescribeTasks takes."""

Wanted = Literal["RUNNING", "STOPPED"]


@dataclass(frozen=True)
class Deployment:
    """One rollout of a service. state: "IN_PROGRESS", "COMPLETED" or "FAILED". revision: the task definition's ARN.

    created: ISO 8601, UTC.
    """

    id: str
    created: str
    revision: str
    state: str
    reason: str
    desired: int
    running: int
    failed: int


@dataclass(frozen=True)
class ServiceState:
    """A service that exists. status: "ACTIVE", or "DRAINING" while it is going. events: the newest first."""

    arn: str
    status: str
    desired: int
    running: int
    deployments: tuple[Deployment, ...]
    events: tuple[tuple[str, str], ...]
    subnets: frozenset[str]
    groups: frozenset[str]
    percent: tuple[int, int]
    target_groups: frozenset[tuple[str, int]]
    ours: bool

    @property
    def newest(self) -> Deployment:
        """The rollout that was asked for last."""
        return self.deployments[0]

    @property
    def is_settled(self) -> bool:
        """Nothing changes any more: one rollout, and it is complete."""
        return len(self.deployments) == 1 and self.newest.state == "COMPLETED"


@dataclass(frozen=True)
class Task:
    """One copy of the app. health: "HEALTHY", "UNHEALTHY" or "UNKNOWN". started_by: the deployment's id.

    interface: the id of its network interface, "" while it has none. created and started: ISO 8601, UTC, or "".
    """

    arn: str
    revision: str
    started_by: str
    image: str
    status: str
    health: str
    created: str
    started: str
    interface: str
    stop_code: str = ""
    stopped_reason: str = ""
    container_reason: str = ""
    exit_code: int | None = None

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def stream(self) -> str:
        """Its log stream: prefix, container, task."""
        return f"{CONTAINER}/{CONTAINER}/{self.id}"


def service(cloud: FargateCloud, app: str) -> ServiceState | None:
    """The app's service, whoever made it; None once it is gone."""
    with passing("ClusterNotFoundException"):
        found = cloud.ecs.describe_services(cluster=name(app), services=[name(app)], include=["TAGS"])["services"]
        return next((_service(each, app) for each in found if each["status"] != "INACTIVE"), None)
    return None


def tasks(cloud: FargateCloud, app: str, wanted: Wanted = "RUNNING") -> tuple[Task, ...]:
    """The tasks of the app's service that should run, or those that have stopped lately; the newest first."""
    with passing("ClusterNotFoundException", "ServiceNotFoundException"):
        arns = list(_arns(cloud, app, wanted))
        parts = (arns[start : start + AT_ONCE] for start in range(0, len(arns), AT_ONCE))
        found = [task for part in parts for task in _described(cloud, app, part)]
        return tuple(sorted(found, key=lambda task: (task.created, task.arn), reverse=True))
    return ()


def _arns(cloud: FargateCloud, app: str, wanted: Wanted) -> Iterator[str]:
    pages = cloud.ecs.get_paginator("list_tasks").paginate(
        cluster=name(app), serviceName=name(app), desiredStatus=wanted
    )
    for page in pages:
        yield from page["taskArns"]


def _described(cloud: FargateCloud, app: str, arns: Iterable[str]) -> Iterator[Task]:
    yield from map(_task, cloud.ecs.describe_tasks(cluster=name(app), tasks=list(arns))["tasks"])


def _service(found: ServiceTypeDef, app: str) -> ServiceState:
    network = found.get("networkConfiguration", {}).get("awsvpcConfiguration")
    percent = found.get("deploymentConfiguration", {})
    return ServiceState(
        arn=found["serviceArn"],
        status=found["status"],
        desired=found["desiredCount"],
        running=found["runningCount"],
        deployments=tuple(map(_deployment, found.get("deployments", ()))),
        events=tuple((iso(each["createdAt"]), each["message"]) for each in found.get("events", ())),
        subnets=frozenset(network["subnets"] if network else ()),
        groups=frozenset(network.get("securityGroups", ()) if network else ()),
        percent=(percent.get("minimumHealthyPercent", 100), percent.get("maximumPercent", 200)),
        target_groups=frozenset(
            (each.get("targetGroupArn", ""), each.get("containerPort", 0)) for each in found.get("loadBalancers", ())
        ),
        ours=is_ours(read(found.get("tags", ())), app),
    )


def _deployment(found: DeploymentTypeDef) -> Deployment:
    return Deployment(
        id=found["id"],
        created=iso(found.get("createdAt")),
        revision=found["taskDefinition"],
        state=found.get("rolloutState", "COMPLETED"),
        reason=found.get("rolloutStateReason", ""),
        desired=found.get("desiredCount", 0),
        running=found.get("runningCount", 0),
        failed=found.get("failedTasks", 0),
    )


def _task(found: TaskTypeDef) -> Task:
    container = next(iter(found.get("containers", ())), None) or {}
    details = {each["name"]: each["value"] for held in found.get("attachments", ()) for each in held.get("details", ())}
    return Task(
        arn=found["taskArn"],
        revision=found["taskDefinitionArn"],
        started_by=found.get("startedBy", ""),
        image=container.get("image", ""),
        status=found["lastStatus"],
        health=found.get("healthStatus", "UNKNOWN"),
        created=iso(found.get("createdAt")),
        started=iso(found.get("startedAt")),
        interface=details.get("networkInterfaceId", ""),
        stop_code=found.get("stopCode", ""),
        stopped_reason=found.get("stoppedReason", ""),
        container_reason=container.get("reason", ""),
        exit_code=container.get("exitCode"),
    )


def iso(moment: datetime | None) -> str:
    """ISO 8601 in UTC, or "" for none."""
    return moment.astimezone(UTC).isoformat() if moment else ""
