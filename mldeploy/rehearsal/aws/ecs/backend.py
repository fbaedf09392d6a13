"""The ECS backend: moto's, with AWS's validation and with real tasks and services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ecs import models, urls
from moto.ecs.exceptions import (
    ClusterNotFoundException,
    EcsClientException,
    ECSException,
    InvalidParameterException,
)
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, Service, Task, TaskDefinition, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse

from mldeploy.rehearsal.aws import elb, iam
from mldeploy.rehearsal.aws.ecs.service import FargateQuotaError, RehearsedService
from mldeploy.rehearsal.aws.ecs.starter import TaskContext
from mldeploy.rehearsal.aws.ecs.task import RehearsedTask
from mldeploy.rehearsal.aws.harsh import CPUS, HARSH, LATE_ROLE, TOO_MANY_CPUS
from mldeploy.rehearsal.aws.iam import RoleError

_GIB = 1024
MEMORY: Mapping[int, tuple[int, ...]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: tuple(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""Valid MiB for each number of CPU units. Standard: ECS, "Fargate task sizes"."""


def check_task_definition(
    *, network: str | None, cpu: str | None, memory: str | None, execution_role: str | None, task_role: str | None
) -> None:
    """Raise EcsClientException for an invalid Fargate task definition. cpu, memory: as sent, in units and MiB."""
    if network != "awsvpc":
        raise EcsClientException("Fargate only supports network mode 'awsvpc'.")
    if not _fits(cpu, memory):
        raise EcsClientException(
            "No Fargate configuration exists for given values: "
            f"{cpu or 0} CPU, {memory or 0} memory. See the Amazon ECS documentation for the valid values."
        )
    if not execution_role:
        raise EcsClientException("Fargate requires task definition to have execution role ARN to support ECR images.")
    for role in filter(None, (execution_role, task_role)):
        if iam.find_role(role) is None:
            raise EcsClientException("Role is not valid")


def _fits(cpu: str | None, memory: str | None) -> bool:
    return bool(cpu and memory and cpu.isdigit() and memory.isdigit()) and int(memory or 0) in MEMORY.get(
        int(cpu or 0), ()
    )


DEPLOYING = ("task_definition", "network_configuration", "load_balancers", "force_new_deployment", "platform_version")
"""Fields of UpdateService that "trigger a new service deployment". Standard: ECS API reference, UpdateService."""
NO_GRACE = "Health check grace period is only valid for services configured to use load balancers"
"""Also in the request that adds the load balancer. https://github.com/hashicorp/terraform-provider-aws/issues/31104"""


def check_target_groups(region: str, load_balancers: Sequence[Mapping[str, Any]] | None) -> None:
    """Raise InvalidParameterException for a target group to which no load balancer sends anything.

    https://github.com/hashicorp/terraform/issues/32908
    """
    for arn in (each["targetGroupArn"] for each in load_balancers or ()):
        if not elb.get_backend(region).is_attached(arn):
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )


class RehearsedECS(EC2ContainerServiceBackend):
    """moto's backend, with AWS's validation."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.started: dict[str, list[Task]] = {}
        """By client token."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths={"{0}/$": RehearsedECSResponse.dispatch})

    def register_task_definition(  # type: ignore[override]  # other arguments are passed on
        self, family: str, container_definitions: list[dict[str, Any]], **others: Any
    ) -> TaskDefinition:
        if "FARGATE" in (others.get("requires_compatibilities") or ()):
            check_task_definition(
                network=others.get("network_mode"),
                cpu=others.get("cpu"),
                memory=others.get("memory"),
                execution_role=others.get("execution_role_arn"),
                task_role=others.get("task_role_arn"),
            )
        created = super().register_task_definition(family, container_definitions, **others)
        created.registered_at = datetime.now(UTC)  # type: ignore[attr-defined]  # missing in moto
        return created

    @staticmethod
    def _calculate_task_resource_requirements(task_definition: TaskDefinition) -> dict[str, Any]:
        """Return no requirements: Fargate has no instances."""
        return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}

    def list_clusters(self) -> list[str]:
        return [cluster.arn for cluster in self.clusters.values() if cluster.status == "ACTIVE"]

    def create_cluster(self, cluster_name: str, *args: Any, **others: Any) -> Cluster:
        if HARSH.refuses("service linked role", 2):
            raise InvalidParameterException(LATE_ROLE)
        known = self.clusters.get(cluster_name)
        if known is not None and known.status == "ACTIVE":
            return known
        return super().create_cluster(cluster_name, *args, **others)

    def delete_cluster(self, cluster_str: str) -> Cluster:
        cluster = self._get_cluster(cluster_str)
        if any(service.status != "INACTIVE" for service in self.services_of(cluster)):
            raise ECSException(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in list(self.tasks.get(cluster.name, {}).values())):
            raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        return super().delete_cluster(cluster_str)

    def describe_services(
        self, cluster_str: str, service_names_or_arns: list[str]
    ) -> tuple[list[Service], list[dict[str, str]]]:
        """A new service may be missing at first. Standard: ECS API reference, CreateService, on consistency."""
        services, failures = super().describe_services(cluster_str, service_names_or_arns)
        late = [each for each in services if HARSH.refuses(f"describe {each.arn}", 2)]
        failures += [{"arn": each.arn, "reason": "MISSING"} for each in late]
        return [each for each in services if each not in late], failures

    def run_task(self, *args: Any, **others: Any) -> list[Task]:
        task = self.describe_task_definition(args[1])
        used = sum(each.cpu_units for tasks in list(self.tasks.values()) for each in _alive(tasks))
        if HARSH.enabled and (used + float(task.cpu or 0)) / 1024 > CPUS:
            raise FargateQuotaError(TOO_MANY_CPUS)
        return super().run_task(*args, **others)

    def services_of(self, cluster: Cluster) -> list[Service]:
        return [service for service in list(self.services.values()) if service.cluster_name == cluster.name]

    def list_services(self, cluster_str: str, *args: Any, **others: Any) -> list[str]:
        active = {each.arn for each in self.services_of(self._get_cluster(cluster_str)) if each.status != "INACTIVE"}
        return [arn for arn in super().list_services(cluster_str, *args, **others) if arn in active]

    def update_service(self, service_properties: dict[str, Any]) -> Service:
        properties = dict(service_properties)
        service = self._get_service(properties.get("cluster", "default"), properties["service"])
        check_target_groups(self.region_name, properties.get("load_balancers"))
        if service.status != "ACTIVE" or not isinstance(service, RehearsedService):
            raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
        definition = self.describe_task_definition(properties.get("task_definition") or service.task_definition or "")
        if definition.status != "ACTIVE":
            raise EcsClientException("TaskDefinition is inactive")
        if properties.get("health_check_grace_period_seconds") is not None and not service.load_balancers:
            raise InvalidParameterException(NO_GRACE)
        # Each of these starts a deployment, also with a value that it has already.
        changes = any(properties.get(each) not in (None, False) for each in DEPLOYING)
        properties.pop("force_new_deployment", None)
        if configuration := properties.pop("deployment_configuration", None):
            service.deployment_configuration = {**service.deployment_configuration, **configuration}
        properties.pop("task_definition", None)
        super().update_service(properties)
        if changes:
            service.roll_out(definition.arn)
        return service

    def delete_service(self, cluster_name: str, service_name: str, force: bool) -> Service:
        service = self._get_service(cluster_name, service_name.rpartition("/")[2])
        if service.status == "ACTIVE" and isinstance(service, RehearsedService):
            if service.desired_count > 0 and not force:
                what = "The service cannot be stopped while it is scaled above 0."
                raise InvalidParameterException(what)
            service.drain()
        return service

    def list_tasks(
        self,
        cluster_str: str | None = None,
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desiredStatus: str | None = None,  # noqa: N803 - moto's name
    ) -> list[Task]:
        if started_by and (container_instance or family or service_name or desiredStatus):
            raise InvalidParameterException("startedBy cannot be combined with other filters.")
        tasks = super().list_tasks(
            cluster_str, container_instance, family, started_by, None, desiredStatus or "RUNNING"
        )
        group = f"service:{service_name.rpartition('/')[2]}" if service_name else None
        return [task for task in tasks if group in (None, task.group)]

    def stop_task(self, cluster_str: str, task_str: str, reason: str) -> Task:
        task_id, cluster = task_str.rpartition("/")[2], self._get_cluster(cluster_str)
        for task in self.tasks.get(cluster.name, {}).values():
            if task.id == task_id and isinstance(task, RehearsedTask):
                task.stop(reason or "Task stopped by user")
                return task
        raise InvalidParameterException("The referenced task was not found.")

    def clear(self) -> None:
        """Stop all services and tasks. Waits until all are gone."""
        for service in list(self.services.values()):
            if isinstance(service, RehearsedService):
                service.end()
        tasks = [each for tasks in list(self.tasks.values()) for each in list(tasks.values())]
        running = [each for each in tasks if isinstance(each, RehearsedTask)]
        for each in running:
            each.vanish()
        for each in running:
            each.join()


class RehearsedECSResponse(EC2ContainerServiceResponse):
    """moto's responses, with parameters that moto ignores."""

    @property
    def ecs_backend(self) -> RehearsedECS:
        backend = super().ecs_backend
        assert isinstance(backend, RehearsedECS)  # noqa: S101 - `install` sees to it
        return backend

    def create_service(self) -> ActionResult:
        cluster, name = self._get_param("cluster", "default"), self._get_param("serviceName")
        token = self._get_param("clientToken")
        known, _ = self.ecs_backend.describe_services(cluster, [name])
        for service in known:
            if service.status == "DRAINING":
                raise InvalidParameterException("Unable to Start a service that is still Draining.")
            if service.status == "ACTIVE":
                if token and isinstance(service, RehearsedService) and service.client_token == token:
                    return ActionResult({"service": service})
                raise InvalidParameterException("Creation of service was not idempotent.")
        check_target_groups(self.ecs_backend.region_name, self._get_param("loadBalancers"))
        if HARSH.refuses(f"cluster of {name}"):
            raise ClusterNotFoundException
        answer = super().create_service()
        created = self.ecs_backend.services[f"{cluster.rpartition('/')[2]}:{name}"]
        assert isinstance(created, RehearsedService)  # noqa: S101 - `install` sees to it
        created.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing") or "ENABLED"
        created.begin(
            self._get_param("deploymentConfiguration"), token, self._get_param("healthCheckGracePeriodSeconds")
        )
        return answer

    def run_task(self) -> ActionResult:
        token, started = self._get_param("clientToken"), self.ecs_backend.started
        if token and token in started:
            return ActionResult({"tasks": started[token], "failures": []})
        try:
            answer = super().run_task()
        except (RoleError, FargateQuotaError) as error:
            raise EcsClientException(str(error)) from error
        if token:
            started[token] = cast("dict[str, list[Task]]", answer.result)["tasks"]
        return answer


def _alive(tasks: Mapping[str, Task]) -> list[RehearsedTask]:
    running = [each for each in list(tasks.values()) if isinstance(each, RehearsedTask)]
    return [each for each in running if each.last_status != "STOPPED"]


def clear() -> None:
    """Stop all services and tasks in all accounts."""
    for regions in list(ecs_backends.values()):
        for backend in list(regions.values()):
            if isinstance(backend, RehearsedECS):
                backend.clear()


def install(context: TaskContext) -> None:
    """Install this backend in moto, for this process."""
    RehearsedTask.context = context
    models.Task = RehearsedTask  # type: ignore[assignment,misc]  # moto creates them by these names
    models.Service = RehearsedService  # type: ignore[assignment,misc]
    ecs_backends.backend = RehearsedECS
