"""The service, its deployments, its tasks and their URLs, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes
from mldeploy.providers.aws.fargate.tags import is_owned, read_tags, resource_name
from mldeploy.providers.aws.fargate.task_spec import CONTAINER

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import DeploymentTypeDef, NetworkConfigurationTypeDef, ServiceTypeDef, TaskTypeDef

from mldeploy.providers.aws.fargate import balancer, listener
from mldeploy.providers.aws.fargate.task_definition import describe_revision

DESCRIBE_BATCH = 100
"""So many tasks DescribeTasks takes."""

COUNT_TAG = "mldeploy:tasks"
"""A tag on the service: so many tasks ran when it was stopped."""

DesiredStatus = Literal["RUNNING", "STOPPED"]


@dataclass(frozen=True)
class ServiceDeployment:
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
    """A service that exists. status: "ACTIVE", or "DRAINING" while it is going. events: the newest first.

    grace: `healthCheckGracePeriodSeconds`. rebalancing: `availabilityZoneRebalancing`. stopped_from: how many tasks ran
    before `mldeploy stop`.
    """

    arn: str
    status: str
    desired: int
    running: int
    deployments: tuple[ServiceDeployment, ...]
    events: tuple[tuple[str, str], ...]
    subnets: frozenset[str]
    groups: frozenset[str]
    percent: tuple[int, int]
    target_groups: frozenset[tuple[str, int]]
    grace: int
    rebalancing: str
    ours: bool
    stopped_from: int = 0

    @property
    def newest(self) -> ServiceDeployment:
        """The latest rollout."""
        return self.deployments[0]

    @property
    def is_settled(self) -> bool:
        """Nothing changes any more: one rollout, and it is complete."""
        return len(self.deployments) == 1 and self.newest.state == "COMPLETED"


@dataclass(frozen=True)
class Task:
    """One copy of the app. health: "HEALTHY", "UNHEALTHY" or "UNKNOWN". started_by: the deployment's id.

    interface: the id of its network interface, private_ip: that one's address; "" while it has none. created and
    started: ISO 8601, UTC, or "".
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
    private_ip: str = ""

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def stream(self) -> str:
        """Its log stream: prefix, container, task."""
        return f"{CONTAINER}/{CONTAINER}/{self.id}"


def service_name(app: str, purpose: str = "") -> str:
    """The name of the app's service; `purpose`: that of another one beside it."""
    return resource_name(app, *filter(None, (purpose,)))


def describe_service(cloud: FargateCloud, app: str, purpose: str = "") -> ServiceState | None:
    """The app's service for that purpose, whoever made it; None once it is gone."""
    with ignore_codes("ClusterNotFoundException"):
        services = cloud.ecs.describe_services(
            cluster=resource_name(app), services=[service_name(app, purpose)], include=["TAGS"]
        )["services"]
        return next((_parse_service(each, app) for each in services if each["status"] != "INACTIVE"), None)
    return None


def list_tasks(cloud: FargateCloud, app: str, status: DesiredStatus = "RUNNING", purpose: str = "") -> tuple[Task, ...]:
    """The tasks of the app's service that should run, or those that have stopped lately; the newest first."""
    with ignore_codes("ClusterNotFoundException", "ServiceNotFoundException"):
        arns = list(_list_arns(cloud, app, status, purpose))
        parts = (arns[start : start + DESCRIBE_BATCH] for start in range(0, len(arns), DESCRIBE_BATCH))
        described = [task for part in parts for task in _describe_tasks(cloud, app, part)]
        return tuple(sorted(described, key=lambda task: (task.created, task.arn), reverse=True))
    return ()


def list_tasks_started_by(cloud: FargateCloud, app: str, who: str) -> tuple[str, ...]:
    """The ARNs of the tasks that should run and that `RunTask` has started in that name."""
    with ignore_codes("ClusterNotFoundException"):
        # ListTasks takes no other filter beside this one.
        pages = cloud.ecs.get_paginator("list_tasks").paginate(cluster=resource_name(app), startedBy=who)
        return tuple(arn for page in pages for arn in page["taskArns"])
    return ()


def find_task(cloud: FargateCloud, app: str, arn: str) -> Task | None:
    """A task by its ARN; None while ECS does not list it."""
    return next(_describe_tasks(cloud, app, [arn]), None)


def _list_arns(cloud: FargateCloud, app: str, status: DesiredStatus, purpose: str) -> Iterator[str]:
    pages = cloud.ecs.get_paginator("list_tasks").paginate(
        cluster=resource_name(app), serviceName=service_name(app, purpose), desiredStatus=status
    )
    for page in pages:
        yield from page["taskArns"]


def _describe_tasks(cloud: FargateCloud, app: str, arns: Iterable[str]) -> Iterator[Task]:
    yield from map(_parse_task, cloud.ecs.describe_tasks(cluster=resource_name(app), tasks=list(arns))["tasks"])


def _parse_service(description: ServiceTypeDef, app: str) -> ServiceState:
    network = description.get("networkConfiguration", {}).get("awsvpcConfiguration")
    percent = description.get("deploymentConfiguration", {})
    tags = read_tags(description.get("tags", ()))
    return ServiceState(
        arn=description["serviceArn"],
        status=description["status"],
        desired=description["desiredCount"],
        running=description["runningCount"],
        deployments=tuple(map(_parse_deployment, description.get("deployments", ()))),
        events=tuple((format_time(each["createdAt"]), each["message"]) for each in description.get("events", ())),
        subnets=frozenset(network["subnets"] if network else ()),
        groups=frozenset(network.get("securityGroups", ()) if network else ()),
        percent=(percent.get("minimumHealthyPercent", 100), percent.get("maximumPercent", 200)),
        target_groups=frozenset(
            (each.get("targetGroupArn", ""), each.get("containerPort", 0))
            for each in description.get("loadBalancers", ())
        ),
        grace=description.get("healthCheckGracePeriodSeconds", 0),
        rebalancing=description.get("availabilityZoneRebalancing", "DISABLED"),
        ours=is_owned(tags, app),
        stopped_from=int(tags.get(COUNT_TAG, "0")),
    )


def _parse_deployment(description: DeploymentTypeDef) -> ServiceDeployment:
    return ServiceDeployment(
        id=description["id"],
        created=format_time(description.get("createdAt")),
        revision=description["taskDefinition"],
        state=description.get("rolloutState", "COMPLETED"),
        reason=description.get("rolloutStateReason", ""),
        desired=description.get("desiredCount", 0),
        running=description.get("runningCount", 0),
        failed=description.get("failedTasks", 0),
    )


def _parse_task(description: TaskTypeDef) -> Task:
    container = next(iter(description.get("containers", ())), None) or {}
    details = {
        each["name"]: each["value"]
        for attachment in description.get("attachments", ())
        for each in attachment.get("details", ())
    }
    return Task(
        arn=description["taskArn"],
        revision=description["taskDefinitionArn"],
        started_by=description.get("startedBy", ""),
        image=container.get("image", ""),
        status=description["lastStatus"],
        health=description.get("healthStatus", "UNKNOWN"),
        created=format_time(description.get("createdAt")),
        started=format_time(description.get("startedAt")),
        interface=details.get("networkInterfaceId", ""),
        stop_code=description.get("stopCode", ""),
        stopped_reason=description.get("stoppedReason", ""),
        container_reason=container.get("reason", ""),
        exit_code=container.get("exitCode"),
        private_ip=details.get("privateIPv4Address", ""),
    )


def network_configuration(subnets: Iterable[str], group: str) -> NetworkConfigurationTypeDef:
    """A public IP for each task: without one it could not even pull its image from a public subnet."""
    return {"awsvpcConfiguration": {"subnets": list(subnets), "securityGroups": [group], "assignPublicIp": "ENABLED"}}


def format_time(moment: datetime | None) -> str:
    """ISO 8601 in UTC, or "" for none."""
    return moment.astimezone(UTC).isoformat() if moment else ""


def find_url(cloud: FargateCloud, app: str, domain: str) -> str:
    """Where the app answers now: at its load balancer, or at the newest of its healthy tasks; "" while none runs.

    domain: the host name that leads to the load balancer, for which its certificate is.
    """
    running = [task for task in list_tasks(cloud, app) if task.status == "RUNNING"]
    state = describe_service(cloud, app)
    if running and state and state.target_groups:
        return find_balancer_url(cloud, app, domain)
    return next((url for url in find_task_urls(cloud, app, running).values() if url), "")


def find_balancer_url(cloud: FargateCloud, app: str, domain: str) -> str:
    """Where the load balancer answers; "" if there is none."""
    load_balancer = balancer.find_balancer(cloud, app)
    if load_balancer is None:
        return ""
    if domain and str(listener.HTTPS) in listener.list_owned_ports(cloud, app):
        return f"https://{domain}"
    return f"http://{load_balancer['DNSName']}"


def find_task_urls(cloud: FargateCloud, app: str, running: Iterable[Task]) -> dict[str, str]:
    """Where each task answers, "" if nowhere, by its ARN; the healthy ones first. The port is its own revision's."""
    ordered = sorted(running, key=lambda task: task.health == "HEALTHY", reverse=True)
    ips = find_public_ips(cloud, ordered)
    ports = {
        revision: describe_revision(cloud, revision, app)[0].port for revision in {task.revision for task in ordered}
    }
    return {task.arn: f"http://{ips[task.arn]}:{ports[task.revision]}" if task.arn in ips else "" for task in ordered}


def find_public_ips(cloud: FargateCloud, tasks: Iterable[Task]) -> dict[str, str]:
    """The public IP of each task that has one, by the task's ARN."""
    interfaces = {task.interface: task.arn for task in tasks if task.interface}
    if not interfaces:
        return {}
    with ignore_codes("InvalidNetworkInterfaceID.NotFound"):  # one that is just going takes the others' answer with it
        return _describe_ips(cloud, interfaces)
    ips: dict[str, str] = {}
    for interface, arn in interfaces.items():
        with ignore_codes("InvalidNetworkInterfaceID.NotFound"):
            ips |= _describe_ips(cloud, {interface: arn})
    return ips


def _describe_ips(cloud: FargateCloud, interfaces: dict[str, str]) -> dict[str, str]:
    descriptions = cloud.ec2.describe_network_interfaces(NetworkInterfaceIds=list(interfaces))["NetworkInterfaces"]
    ips = {
        interfaces[each["NetworkInterfaceId"]]: each.get("Association", {}).get("PublicIp", "") for each in descriptions
    }
    return {arn: ip for arn, ip in ips.items() if ip}
