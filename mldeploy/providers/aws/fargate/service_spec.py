"""A service as ECS takes it: what we decide about it, and the requests that create and change it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name
from mldeploy.providers.aws.fargate.task_spec import CONTAINER
from mldeploy.providers.aws.fargate.tasks import ServiceState, network_configuration, service_name

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import (
        CreateServiceRequestTypeDef,
        DeploymentConfigurationTypeDef,
        LoadBalancerTypeDef,
        NetworkConfigurationTypeDef,
    )


@dataclass(frozen=True)
class ServiceSpec:
    """What we decide about a service. count: None leaves it as it is."""

    revision: str
    subnets: tuple[str, ...]
    group: str
    count: int | None
    percent: tuple[int, int]
    rebalancing: Literal["ENABLED", "DISABLED"]
    grace: int
    """Seconds in which a new task need not be healthy in the load balancer's eyes; 0 without one."""
    targets: frozenset[tuple[str, int]] | None = frozenset()
    """Target groups, and the port that they lead to; None while they are not known."""


class ServiceChanges(TypedDict, total=False):
    """What UpdateService is to change. What is left out stays, and starts no task anew."""

    taskDefinition: str
    desiredCount: int
    deploymentConfiguration: DeploymentConfigurationTypeDef
    availabilityZoneRebalancing: Literal["ENABLED", "DISABLED"]
    networkConfiguration: NetworkConfigurationTypeDef
    loadBalancers: list[LoadBalancerTypeDef]
    forceNewDeployment: bool


def create_request(app: str, desired: ServiceSpec, token: str, purpose: str = "") -> CreateServiceRequestTypeDef:
    """The service as CreateService takes it, tagged; its tasks bear the same tags. purpose: of one beside it."""
    request: CreateServiceRequestTypeDef = {
        "cluster": resource_name(app),
        "serviceName": service_name(app, purpose),
        "taskDefinition": desired.revision,
        "desiredCount": desired.count or 1,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "clientToken": token,
        "deploymentConfiguration": deployment_configuration(desired.percent),
        "availabilityZoneRebalancing": desired.rebalancing,
        "networkConfiguration": network_configuration(desired.subnets, desired.group),
        "propagateTags": "SERVICE",
        "enableECSManagedTags": True,
        "tags": [{"key": key, "value": value} for key, value in owner_tags(app).items()],
    }
    if desired.targets:
        request["loadBalancers"] = target_fields(desired.targets)
        request["healthCheckGracePeriodSeconds"] = desired.grace
    return request


def list_changes(desired: ServiceSpec, state: ServiceState) -> ServiceChanges:
    """What UpdateService has to change for the service to be as desired.

    The same revision is ordered anew where its rollout has failed, or where none of its tasks runs.
    """
    changes: ServiceChanges = {}
    stuck = state.newest.state == "COMPLETED" and state.desired > 0 and state.running == 0
    if desired.revision != state.newest.revision:
        changes["taskDefinition"] = desired.revision
    elif state.newest.state == "FAILED" or stuck:
        changes["forceNewDeployment"] = True
    if desired.count is not None:
        changes["desiredCount"] = desired.count
    if desired.percent != state.percent:
        changes["deploymentConfiguration"] = deployment_configuration(desired.percent)
    if desired.rebalancing != state.rebalancing:
        changes["availabilityZoneRebalancing"] = desired.rebalancing
    if frozenset(desired.subnets) != state.subnets or frozenset((desired.group,)) != state.groups:
        changes["networkConfiguration"] = network_configuration(desired.subnets, desired.group)
    if (desired.targets or frozenset()) != state.target_groups:
        changes["loadBalancers"] = target_fields(desired.targets or frozenset())
    return changes


def apply_changes(cloud: FargateCloud, app: str, changes: ServiceChanges, state: ServiceState, grace: int) -> None:
    """Send them, and the time in which a new task need not be healthy (`grace`, seconds).

    ECS refuses that time where the service is not behind a load balancer *yet*, even in the call that puts it there:
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1313. So it comes after that call, and
    goes before the one that takes the load balancer away. It starts no task anew.
    """
    name = resource_name(app)
    balanced = bool(changes["loadBalancers"]) if "loadBalancers" in changes else bool(state.target_groups)
    if state.target_groups and not balanced and state.grace:
        cloud.ecs.update_service(cluster=name, service=name, healthCheckGracePeriodSeconds=0)
    if changes:
        cloud.ecs.update_service(cluster=name, service=name, **changes)
    if balanced and grace != state.grace:
        cloud.ecs.update_service(cluster=name, service=name, healthCheckGracePeriodSeconds=grace)


def target_fields(targets: frozenset[tuple[str, int]]) -> list[LoadBalancerTypeDef]:
    """Target groups as ECS takes them."""
    return [{"targetGroupArn": arn, "containerName": CONTAINER, "containerPort": port} for arn, port in sorted(targets)]


def deployment_configuration(percent: tuple[int, int]) -> DeploymentConfigurationTypeDef:
    """New tasks beside the old ones, and back to these if the new ones do not become healthy."""
    return {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "minimumHealthyPercent": percent[0],
        "maximumPercent": percent[1],
    }
