"""The ECS service: it keeps the tasks running and brings a new version in beside the old one.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypedDict

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate.addresses import url_of
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import Cluster
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.listener import Listener
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.rollout import Rollout
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import belonging, name
from mldeploy.providers.aws.fargate.targets import TargetGroup
from mldeploy.providers.aws.fargate.task_definition import TaskDefinition, mark_failed, number
from mldeploy.providers.aws.fargate.task_spec import CONTAINER
from mldeploy.providers.aws.fargate.tasks import ServiceState, service, tasks
from mldeploy.providers.aws.fargate.waiting import until_gone

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import (
        CreateServiceRequestTypeDef,
        DeploymentConfigurationTypeDef,
        LoadBalancerTypeDef,
        NetworkConfigurationTypeDef,
    )


class Balanced(TypedDict, total=False):
    """How a service is put behind target groups."""

    loadBalancers: list[LoadBalancerTypeDef]
    healthCheckGracePeriodSeconds: int


@dataclass(frozen=True)
class Running:
    """A service that runs the app. is_new: nothing served before. before: where the old version answered."""

    revision: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    before: str = ""


@dataclass(frozen=True)
class Wanted:
    """What we decide about a service. count: None leaves it as it is."""

    revision: str
    subnets: tuple[str, ...]
    group: str
    count: int | None
    percent: tuple[int, int]
    targets: frozenset[tuple[str, int]] | None = frozenset()
    """Target groups, and the port that they lead to; None while they are not known."""


@speaking_to("ecs")
@dataclass(frozen=True, eq=False)
class Service(Step[FargateCloud, Running]):
    """So many tasks of the newest revision run, healthy, and none of an old one."""

    kind: ClassVar[str] = "ecs-service"
    title: ClassVar[str] = "Run the service"

    project: Project
    settings: FargateSettings
    task: TaskDefinition
    cluster: Cluster
    network: Network
    firewall: SecurityGroup
    targets: TargetGroup | None = None
    listeners: tuple[Listener, ...] = ()
    """A target group takes tasks only once a load balancer sends something to it."""

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Running] | None:
        state = service(cloud, self.key().name)
        if state is None or state.status == "DRAINING":
            return None
        task = outs.get(self.task)
        drift = [] if state.is_settled else [_unsettled(state)]
        if task is None:
            drift.append("revision → the one to be registered")
        elif state.newest.revision != task.arn:
            drift.append(f"revision {number(state.newest.revision)} → {number(task.arn)}")
        if state.is_settled and state.running < state.desired:
            drift.append(f"{state.running} of {state.desired} tasks run → all")
        drift += self._differences(state, outs)
        out = Running(state.newest.revision, task.image if task else None)
        return Seen(out, tuple(drift), ours=state.ours)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Running] | None, monitor: Monitor) -> Running:
        """Raises VerdictError if the new version cannot serve: the old one goes on."""
        task, app = outs[self.task], self.key().name
        before = "" if seen is None else url_of(cloud, app, self.settings.domain)
        if seen is None:
            self._create(cloud, outs, monitor)
        else:
            self._update(cloud, outs)
        try:
            Rollout(cloud, self.project, task.arn, monitor, self.settings.rollout_timeout).watch()
        except VerdictError:
            mark_failed(cloud, task.arn)
            raise
        monitor.progress(Progress("", f"{app} runs revision {number(task.arn)}"))
        return Running(task.arn, task.image, is_new=seen is None, was_changed=True, before=before)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Stops every task, and returns once their network interfaces are released."""
        state = service(cloud, key.name)
        if state is None or not state.ours:
            return False
        interfaces = [task.interface for task in tasks(cloud, key.name) if task.interface]
        with passing("ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"):
            if state.status != "DRAINING":
                cloud.ecs.delete_service(cluster=name(key.name), service=name(key.name), force=True)
        monitor.progress(Progress("", "waiting until its tasks have stopped"))
        until_gone(monitor, str(key), lambda: service(cloud, key.name) is None and not tasks(cloud, key.name))
        monitor.progress(Progress("", "waiting until the network interfaces are released"))
        until_gone(monitor, str(key), lambda: not _attached(cloud, interfaces))
        return True

    def _differences(self, state: ServiceState, outs: Outputs) -> list[str]:
        wanted = self._wanted(outs, state)
        lines = []
        if wanted.count is not None and wanted.count != state.desired:
            lines.append(f"tasks {state.desired} → {wanted.count}")
        if wanted.percent != state.percent:
            lines.append(f"deployment percentages {state.percent} → {wanted.percent}")
        if wanted.subnets and frozenset(wanted.subnets) != state.subnets:
            lines.append("subnets → those of the network")
        if wanted.group and frozenset((wanted.group,)) != state.groups:
            lines.append("security group → the app's own")
        if wanted.targets is not None and wanted.targets != state.target_groups:
            lines.append("what is behind the load balancer → the app on its port")
        return lines

    def _wanted(self, outs: Outputs, state: ServiceState | None) -> Wanted:
        network, group, task = outs.get(self.network), outs.get(self.firewall), outs.get(self.task)
        return Wanted(
            revision=task.arn if task else "",
            subnets=network.subnets if network else (),
            group=group.id if group else "",
            count=self.settings.count(state.desired if state else 0),
            percent=(self.settings.minimum_healthy_percent, self.settings.maximum_percent),
            targets=self._targets(outs),
        )

    def _targets(self, outs: Outputs) -> frozenset[tuple[str, int]] | None:
        if self.targets is None:
            return frozenset()
        arn = outs.get(self.targets)
        return frozenset(((arn, self.project.app.port),)) if arn else None

    def _create(self, cloud: FargateCloud, outs: Outputs, monitor: Monitor) -> None:
        """A service that is still going gives its name back only once it is gone."""
        app = self.key().name
        until_gone(monitor, str(self.key()), lambda: service(cloud, app) is None)
        # Without a token of its own, a request whose answer was lost could not be sent again.
        grace = self.settings.grace(self.project)
        cloud.ecs.create_service(**create_request(app, self._wanted(outs, None), grace, str(uuid.uuid4())))

    def _update(self, cloud: FargateCloud, outs: Outputs) -> None:
        app = self.key().name
        state = service(cloud, app)
        if state is None:
            raise RefusedError(app, "its service was deleted a moment ago", "Deploy again.")
        wanted = self._wanted(outs, state)
        same = state.newest.revision == wanted.revision and not self._differences(state, outs)
        if same and state.newest.state == "IN_PROGRESS":
            return  # it is on its way: a second order would start it over
        behind = load_balancers(wanted.targets or frozenset(), state.target_groups, self.settings.grace(self.project))
        cloud.ecs.update_service(
            **behind,
            cluster=name(app),
            service=name(app),
            taskDefinition=wanted.revision,
            desiredCount=state.desired if wanted.count is None else wanted.count,
            deploymentConfiguration=deployment_configuration(wanted.percent),
            networkConfiguration=network_configuration(wanted),
            forceNewDeployment=state.newest.state == "FAILED",
        )


def create_request(app: str, wanted: Wanted, grace: int, token: str) -> CreateServiceRequestTypeDef:
    """The service as CreateService takes it, tagged; its tasks bear the same tags."""
    order: CreateServiceRequestTypeDef = {
        "cluster": name(app),
        "serviceName": name(app),
        "taskDefinition": wanted.revision,
        "desiredCount": wanted.count or 1,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "clientToken": token,
        "deploymentConfiguration": deployment_configuration(wanted.percent),
        "networkConfiguration": network_configuration(wanted),
        "propagateTags": "SERVICE",
        "enableECSManagedTags": True,
        "tags": [{"key": key, "value": value} for key, value in belonging(app).items()],
    }
    if wanted.targets:
        order["loadBalancers"] = _behind(wanted.targets)
        order["healthCheckGracePeriodSeconds"] = grace
    return order


def load_balancers(targets: frozenset[tuple[str, int]], now: frozenset[tuple[str, int]], grace: int) -> Balanced:
    """Target groups as UpdateService takes them; nothing where they are what they are now.

    grace: seconds in which a new task need not be healthy in the load balancer's eyes.
    """
    if targets == now:
        return {}
    return {"loadBalancers": _behind(targets), "healthCheckGracePeriodSeconds": grace if targets else 0}


def _behind(targets: frozenset[tuple[str, int]]) -> list[LoadBalancerTypeDef]:
    return [{"targetGroupArn": arn, "containerName": CONTAINER, "containerPort": port} for arn, port in sorted(targets)]


def deployment_configuration(percent: tuple[int, int]) -> DeploymentConfigurationTypeDef:
    """New tasks beside the old ones, and back to these if the new ones do not become healthy."""
    return {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "minimumHealthyPercent": percent[0],
        "maximumPercent": percent[1],
    }


def network_configuration(wanted: Wanted) -> NetworkConfigurationTypeDef:
    """A public IP for each task: without one it could not even pull its image from a public subnet."""
    return {
        "awsvpcConfiguration": {
            "subnets": list(wanted.subnets),
            "securityGroups": [wanted.group],
            "assignPublicIp": "ENABLED",
        }
    }


def _unsettled(state: ServiceState) -> str:
    return "the last rollout failed → tried again" if state.newest.state == "FAILED" else "rollout → finished"


def _attached(cloud: FargateCloud, interfaces: list[str]) -> bool:
    if not interfaces:
        return False
    with passing("InvalidNetworkInterfaceID.NotFound"):
        filters = [{"Name": "network-interface-id", "Values": interfaces}]
        return bool(cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])  # type: ignore[arg-type]
    return False
