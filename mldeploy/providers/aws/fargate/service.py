"""The ECS service: it keeps the tasks running and brings a new version in beside the old one.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypedDict

from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import EcsCluster
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.listener import LoadBalancerListener
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.rollout import ServiceRollout
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name
from mldeploy.providers.aws.fargate.targets import TargetGroup
from mldeploy.providers.aws.fargate.task_definition import TaskDefinition, mark_failed, revision_number
from mldeploy.providers.aws.fargate.task_spec import CONTAINER
from mldeploy.providers.aws.fargate.tasks import ServiceState, describe_service, find_url, list_tasks

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import (
        CreateServiceRequestTypeDef,
        DeploymentConfigurationTypeDef,
        LoadBalancerTypeDef,
        NetworkConfigurationTypeDef,
    )


class BalancerFields(TypedDict, total=False):
    """How a service is put behind target groups."""

    loadBalancers: list[LoadBalancerTypeDef]
    healthCheckGracePeriodSeconds: int


@dataclass(frozen=True)
class RunningService:
    """A service that runs the app. is_new: nothing served before. before: where the old version answered."""

    revision: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    before: str = ""


@dataclass(frozen=True)
class ServiceSpec:
    """What we decide about a service. count: None leaves it as it is."""

    revision: str
    subnets: tuple[str, ...]
    group: str
    count: int | None
    percent: tuple[int, int]
    targets: frozenset[tuple[str, int]] | None = frozenset()
    """Target groups, and the port that they lead to; None while they are not known."""


@translate_errors("ecs")
@dataclass(frozen=True, eq=False)
class EcsService(Step[FargateCloud, RunningService]):
    """So many tasks of the newest revision run, healthy, and none of an old one."""

    kind: ClassVar[str] = "ecs-service"
    title: ClassVar[str] = "Run the service"

    project: Project
    settings: FargateSettings
    task: TaskDefinition
    cluster: EcsCluster
    network: Network
    firewall: SecurityGroup
    targets: TargetGroup | None = None
    listeners: tuple[LoadBalancerListener, ...] = ()
    """A target group takes tasks only once a load balancer sends something to it."""

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[RunningService] | None:
        state = describe_service(cloud, self.key().name)
        if state is None or state.status == "DRAINING":
            return None
        task = outs.get(self.task)
        drift = [] if state.is_settled else [_describe_unsettled(state)]
        if task is None:
            drift.append("revision → the one to be registered")
        elif state.newest.revision != task.arn:
            drift.append(f"revision {revision_number(state.newest.revision)} → {revision_number(task.arn)}")
        if state.is_settled and state.running < state.desired:
            drift.append(f"{state.running} of {state.desired} tasks run → all")
        drift += self._list_differences(state, outs)
        out = RunningService(state.newest.revision, task.image if task else None)
        return Seen(out, tuple(drift), ours=state.ours)

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[RunningService] | None, monitor: Monitor
    ) -> RunningService:
        """Raises VerdictError if the new version cannot serve: the old one goes on."""
        task, app = outs[self.task], self.key().name
        before = "" if seen is None else find_url(cloud, app, self.settings.domain)
        if seen is None:
            self._create(cloud, outs, monitor)
        else:
            self._update(cloud, outs)
        try:
            ServiceRollout(cloud, self.project, task.arn, monitor, self.settings.rollout_timeout).watch()
        except VerdictError:
            mark_failed(cloud, task.arn)
            raise
        monitor.progress(Progress("", f"{app} runs revision {revision_number(task.arn)}"))
        return RunningService(task.arn, task.image, is_new=seen is None, was_changed=True, before=before)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Stops every task, and returns once their network interfaces are released."""
        state = describe_service(cloud, key.name)
        if state is None or not state.ours:
            return False
        interfaces = [task.interface for task in list_tasks(cloud, key.name) if task.interface]
        with ignore_codes("ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"):
            if state.status != "DRAINING":
                cloud.ecs.delete_service(cluster=resource_name(key.name), service=resource_name(key.name), force=True)
        monitor.progress(Progress("", "waiting until its tasks have stopped"))
        wait_until_gone(
            monitor, str(key), lambda: describe_service(cloud, key.name) is None and not list_tasks(cloud, key.name)
        )
        monitor.progress(Progress("", "waiting until the network interfaces are released"))
        wait_until_gone(monitor, str(key), lambda: not _are_attached(cloud, interfaces))
        return True

    def _list_differences(self, state: ServiceState, outs: Outputs) -> list[str]:
        desired = self._build_spec(outs, state)
        lines = []
        if desired.count is not None and desired.count != state.desired:
            lines.append(f"tasks {state.desired} → {desired.count}")
        if desired.percent != state.percent:
            lines.append(f"deployment percentages {state.percent} → {desired.percent}")
        if desired.subnets and frozenset(desired.subnets) != state.subnets:
            lines.append("subnets → those of the network")
        if desired.group and frozenset((desired.group,)) != state.groups:
            lines.append("security group → the app's own")
        if desired.targets is not None and desired.targets != state.target_groups:
            lines.append("what is behind the load balancer → the app on its port")
        return lines

    def _build_spec(self, outs: Outputs, state: ServiceState | None) -> ServiceSpec:
        network, group, task = outs.get(self.network), outs.get(self.firewall), outs.get(self.task)
        return ServiceSpec(
            revision=task.arn if task else "",
            subnets=network.subnets if network else (),
            group=group.id if group else "",
            count=self.settings.count(state.desired if state else 0),
            percent=(self.settings.minimum_healthy_percent, self.settings.maximum_percent),
            targets=self._find_targets(outs),
        )

    def _find_targets(self, outs: Outputs) -> frozenset[tuple[str, int]] | None:
        if self.targets is None:
            return frozenset()
        arn = outs.get(self.targets)
        return frozenset(((arn, self.project.app.port),)) if arn else None

    def _create(self, cloud: FargateCloud, outs: Outputs, monitor: Monitor) -> None:
        """A service that is still going gives its name back only once it is gone."""
        app = self.key().name
        wait_until_gone(monitor, str(self.key()), lambda: describe_service(cloud, app) is None)
        # Without a token of its own, a request whose answer was lost could not be sent again.
        grace = self.settings.grace(self.project)
        cloud.ecs.create_service(**create_request(app, self._build_spec(outs, None), grace, str(uuid.uuid4())))

    def _update(self, cloud: FargateCloud, outs: Outputs) -> None:
        app = self.key().name
        state = describe_service(cloud, app)
        if state is None:
            raise RefusedError(app, "its service was deleted a moment ago", "Deploy again.")
        desired = self._build_spec(outs, state)
        unchanged = state.newest.revision == desired.revision and not self._list_differences(state, outs)
        if unchanged and state.newest.state == "IN_PROGRESS":
            return  # it is on its way: a second order would start it over
        targets = balancer_fields(
            desired.targets or frozenset(), state.target_groups, self.settings.grace(self.project)
        )
        cloud.ecs.update_service(
            **targets,
            cluster=resource_name(app),
            service=resource_name(app),
            taskDefinition=desired.revision,
            desiredCount=state.desired if desired.count is None else desired.count,
            deploymentConfiguration=deployment_configuration(desired.percent),
            networkConfiguration=network_configuration(desired),
            forceNewDeployment=state.newest.state == "FAILED",
        )


def create_request(app: str, desired: ServiceSpec, grace: int, token: str) -> CreateServiceRequestTypeDef:
    """The service as CreateService takes it, tagged; its tasks bear the same tags."""
    request: CreateServiceRequestTypeDef = {
        "cluster": resource_name(app),
        "serviceName": resource_name(app),
        "taskDefinition": desired.revision,
        "desiredCount": desired.count or 1,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "clientToken": token,
        "deploymentConfiguration": deployment_configuration(desired.percent),
        "networkConfiguration": network_configuration(desired),
        "propagateTags": "SERVICE",
        "enableECSManagedTags": True,
        "tags": [{"key": key, "value": value} for key, value in owner_tags(app).items()],
    }
    if desired.targets:
        request["loadBalancers"] = _list_targets(desired.targets)
        request["healthCheckGracePeriodSeconds"] = grace
    return request


def balancer_fields(targets: frozenset[tuple[str, int]], now: frozenset[tuple[str, int]], grace: int) -> BalancerFields:
    """Target groups as UpdateService takes them; nothing where they are what they are now.

    grace: seconds in which a new task need not be healthy in the load balancer's eyes.
    """
    if targets == now:
        return {}
    return {"loadBalancers": _list_targets(targets), "healthCheckGracePeriodSeconds": grace if targets else 0}


def _list_targets(targets: frozenset[tuple[str, int]]) -> list[LoadBalancerTypeDef]:
    return [{"targetGroupArn": arn, "containerName": CONTAINER, "containerPort": port} for arn, port in sorted(targets)]


def deployment_configuration(percent: tuple[int, int]) -> DeploymentConfigurationTypeDef:
    """New tasks beside the old ones, and back to these if the new ones do not become healthy."""
    return {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "minimumHealthyPercent": percent[0],
        "maximumPercent": percent[1],
    }


def network_configuration(spec: ServiceSpec) -> NetworkConfigurationTypeDef:
    """A public IP for each task: without one it could not even pull its image from a public subnet."""
    return {
        "awsvpcConfiguration": {
            "subnets": list(spec.subnets),
            "securityGroups": [spec.group],
            "assignPublicIp": "ENABLED",
        }
    }


def _describe_unsettled(state: ServiceState) -> str:
    return "the last rollout failed → tried again" if state.newest.state == "FAILED" else "rollout → finished"


def _are_attached(cloud: FargateCloud, interfaces: list[str]) -> bool:
    if not interfaces:
        return False
    with ignore_codes("InvalidNetworkInterfaceID.NotFound"):
        filters = [{"Name": "network-interface-id", "Values": interfaces}]
        return bool(cloud.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])  # type: ignore[arg-type]
    return False
