"""A service: a scheduler that keeps the desired number of tasks and does rolling updates.

Standard: ECS, "Rolling update deployments" and "Deployment circuit breaker".
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.ecs.models import Service

from mldeploy.rehearsal.aws import elb
from mldeploy.rehearsal.aws.ecs.task import CONTAINER_EXITED, FAILED_TO_START, SCHEDULER_INITIATED, RehearsedTask
from mldeploy.rehearsal.aws.iam import RoleError

_TICK = 0.2
"""Interval of the scheduler in seconds."""
_UNHEALTHY = "Task failed container health checks"
_UNANSWERED = "Task failed ELB health checks in"


class RehearsedService(Service):
    """moto's service, with a scheduler. `begin` starts it."""

    def __init__(self, *, desired_count: int, network_configuration: Any = None, **others: Any) -> None:
        self._rollouts: list[EcsDeployment] = []
        self._last_good: EcsDeployment | None = None
        self._targets: dict[str, list[elb.BalancedTask]] = {}
        self._leaving: set[str] = set()
        self._mutex = threading.RLock()
        self.deployment_configuration: dict[str, Any] = {}
        self.client_token = ""
        self.health_check_grace_period_seconds: int | None = None
        self.availability_zone_rebalancing = "ENABLED"
        self.created_at = datetime.now(UTC)
        super().__init__(
            desired_count=desired_count, network_configuration=_add_security_groups(network_configuration), **others
        )
        self._rollouts = [EcsDeployment(str(self.task_definition), self.network_configuration)]

    def begin(self, configuration: Mapping[str, Any] | None, token: str | None, grace: int | None) -> None:
        """Start the scheduler. configuration, grace: `deploymentConfiguration`, `healthCheckGracePeriodSeconds`."""
        self.health_check_grace_period_seconds = grace
        self.deployment_configuration = {**_DEFAULTS, **(configuration or {})}
        self.client_token = token or ""
        threading.Thread(target=self._schedule, daemon=True).start()

    @property
    def tasks(self) -> list[RehearsedTask]:
        """All tasks that are not stopped yet."""
        tasks = list(self._backend.tasks.get(self.cluster_name, {}).values())
        mine = [task for task in tasks if isinstance(task, RehearsedTask) and task.group == f"service:{self.name}"]
        return [task for task in mine if task.last_status != "STOPPED"]

    @property
    def running_count(self) -> int:
        return sum(task.last_status == "RUNNING" for task in self.tasks)

    @running_count.setter
    def running_count(self, value: int) -> None:
        """Ignored: it is computed."""

    @property
    def pending_count(self) -> int:
        return sum(task.last_status in ("PROVISIONING", "PENDING") for task in self.tasks)

    @pending_count.setter
    def pending_count(self, value: int) -> None:
        """Ignored: it is computed."""

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """The deployments as in DescribeServices, newest first."""
        return [self._described(rollout) for rollout in list(self._rollouts)]

    @deployments.setter
    def deployments(self, value: object) -> None:
        """Ignored: they are computed."""

    def _described(self, rollout: EcsDeployment) -> dict[str, Any]:
        tasks = [task for task in self.tasks if task.started_by == rollout.identity]
        primary = rollout is self._rollouts[0]
        return rollout.described(
            primary=primary,
            desired=self.desired_count if primary else len(tasks),
            running=sum(task.last_status == "RUNNING" for task in tasks),
            pending=sum(task.last_status in ("PROVISIONING", "PENDING") for task in tasks),
        )

    def roll_out(self, task_definition: str) -> None:
        """Begin a new deployment. Running tasks are replaced step by step."""
        with self._mutex:
            self.task_definition = task_definition
            self._rollouts.insert(0, EcsDeployment(task_definition, self.network_configuration))

    def drain(self) -> None:
        """Stop all tasks. The service is INACTIVE once none runs."""
        with self._mutex:
            self.status, self.desired_count = "DRAINING", 0

    def add_event(self, what: str) -> None:
        """Add an event, newest first."""
        event = {"id": str(uuid.uuid4()), "createdAt": datetime.now(UTC), "message": f"(service {self.name}) {what}"}
        self.events.insert(0, event)

    def end(self) -> None:
        """Start no more tasks. Those that run are left alone."""
        with self._mutex:
            self.status = "INACTIVE"

    def _schedule(self) -> None:
        while self._tick_if_active():
            time.sleep(_TICK)

    def _tick_if_active(self) -> bool:
        with self._mutex:
            if self.status != "INACTIVE":
                self._tick()
            return self.status != "INACTIVE"

    def _tick(self) -> None:
        primary = self._rollouts[0]
        for rollout in self._rollouts:
            self._count_failures(rollout)
        self._check_circuit_breaker(primary)
        live = [task for task in self.tasks if task.desired_status == "RUNNING" and task.id not in self._leaving]
        for task in live:
            self._balance(task)
        mine = [task for task in live if task.started_by == primary.identity]
        old = [task for task in live if task.started_by != primary.identity]
        self._start(primary, len(mine), len(live))
        for task in mine[self.desired_count :]:
            self._retire(task, primary)
        self._replace(primary, live, old)
        self._settle(primary)

    def _count_failures(self, rollout: EcsDeployment) -> None:
        for task in list(self._backend.tasks.get(self.cluster_name, {}).values()):
            if not isinstance(task, RehearsedTask) or task.started_by != rollout.identity or task.id in rollout.counted:
                continue
            if self._is_healthy(task):
                rollout.streak = 0
                continue
            if task.last_status == "RUNNING" and task.health_status == "UNHEALTHY":
                self.add_event(f"(task {task.id}) failed container health checks.")
                task.stop(_UNHEALTHY, SCHEDULER_INITIATED)
            elif task.last_status == "RUNNING" and (group := self._find_unhealthy_group(task)):
                self.add_event(f"(task {task.id}) is unhealthy in (target-group {group}).")
                task.stop(f"{_UNANSWERED} (target-group {group})", SCHEDULER_INITIATED)
            elif task.desired_status != "STOPPED" or not _has_failed(task):
                continue
            rollout.counted.add(task.id)
            rollout.failures += 1
            rollout.streak += 1
            rollout.resting = time.time() + task.context.pace

    def _check_circuit_breaker(self, primary: EcsDeployment) -> None:
        """Fail a deployment whose tasks keep failing, and roll back if configured."""
        breaker = self.deployment_configuration.get("deploymentCircuitBreaker") or {}
        if primary.state != IN_PROGRESS or not breaker.get("enable"):
            return
        if primary.streak < _threshold(breaker.get("thresholdConfiguration"), self.desired_count):
            return
        primary.turn(FAILED, "ECS deployment circuit breaker: tasks failed to start.")
        self.add_event(f"(deployment {primary.identity}) deployment failed: tasks failed to start.")
        good = self._last_good
        if breaker.get("rollback") and good is not None and good.task_definition != primary.task_definition:
            self.add_event(f"rolling back to deployment {good.identity}.")
            self.task_definition = good.task_definition
            good.turn(IN_PROGRESS, f"ECS deployment circuit breaker: rolling back to deploymentId {good.identity}.")
            self._rollouts = [good, *(each for each in self._rollouts if each is not good)]

    def _start(self, primary: EcsDeployment, mine: int, live: int) -> None:
        if primary is not self._rollouts[0] or primary.state == FAILED or time.time() < primary.resting:
            return
        upper = math.floor(self.desired_count * self.deployment_configuration["maximumPercent"] / 100)
        for _ in range(min(self.desired_count - mine, upper - live)):
            try:
                (task,) = self._backend.run_task(
                    self.cluster_name,
                    primary.task_definition,
                    1,
                    None,
                    primary.identity,
                    self.tags if self.propagate_tags == "SERVICE" else None,
                    "FARGATE",
                    dict(primary.network),
                    f"service:{self.name}",
                )
            except FargateQuotaError as error:
                self.add_event(f"was unable to place a task. Reason: {error}.")
                primary.resting = time.time() + 1
                return
            except RoleError as error:
                self.add_event(f"failed to launch a task with (error {error}).")
                primary.resting = time.time() + 1
                return
            self.add_event(f"has started 1 tasks: (task {task.id}).")

    def _replace(self, primary: EcsDeployment, live: Sequence[RehearsedTask], old: Sequence[RehearsedTask]) -> None:
        """Stop old tasks: unhealthy ones at once, others as far as minimumHealthyPercent allows."""
        if primary.state == FAILED:
            return
        lower = math.ceil(self.desired_count * self.deployment_configuration["minimumHealthyPercent"] / 100)
        well = sum(self._is_healthy(task) for task in live)
        for task in old:
            if not self._is_healthy(task):
                self._retire(task, primary)
            elif well > lower:
                well -= 1
                self._retire(task, primary)

    def _retire(self, task: RehearsedTask, primary: EcsDeployment) -> None:
        self.add_event(f"has stopped 1 running tasks: (task {task.id}).")
        self._leaving.add(task.id)
        reason = f"Scaling activity initiated by (deployment {primary.identity})"
        threading.Thread(target=self._deregister_and_stop, args=(task, reason), daemon=True).start()

    def _deregister_and_stop(self, task: RehearsedTask, reason: str) -> None:
        """Deregister the task's targets, wait for their requests, and stop it."""
        for target in self._targets.pop(task.id, ()):
            elb.get_backend(self.region_name).remove(target)
        task.stop(reason, SCHEDULER_INITIATED)

    def _balance(self, task: RehearsedTask) -> None:
        """Register a running task with the load balancers."""
        address = task.container_address
        if address is None or task.id in self._targets:
            return
        self._targets[task.id] = [
            elb.get_backend(self.region_name).add(
                each["targetGroupArn"], task.private_ip, address, int(each["containerPort"])
            )
            for each in self.load_balancers
        ]

    def _is_healthy(self, task: RehearsedTask) -> bool:
        """Whether the task and all its targets are healthy."""
        if not task.is_well or task.id in self._leaving:
            return False
        targets = self._targets.get(task.id)
        return targets is not None and all(each.state == elb.HEALTHY for each in targets)

    def _find_unhealthy_group(self, task: RehearsedTask) -> str:
        """Return the target group in which a task is unhealthy after its grace period; empty if none."""
        started = task.started_at or datetime.now(UTC)
        if datetime.now(UTC) - started < timedelta(seconds=(self.health_check_grace_period_seconds or 0)):
            return ""
        bad = (each.group.arn for each in self._targets.get(task.id, ()) if each.state == elb.UNHEALTHY)
        return next(bad, "")

    def _settle(self, primary: EcsDeployment) -> None:
        """Complete the deployment, or the draining."""
        tasks = self.tasks
        if self.status == "DRAINING":
            if not tasks:
                self.status = "INACTIVE"
            return
        with_tasks = {task.started_by for task in tasks}
        self._rollouts[1:] = [each for each in self._rollouts[1:] if each.identity in with_tasks]
        if primary is not self._rollouts[0] or primary.state != IN_PROGRESS or len(self._rollouts) > 1:
            return
        if sum(self._is_healthy(task) for task in tasks) >= self.desired_count:
            primary.turn(COMPLETED, f"ECS deployment {primary.identity} completed.")
            self._last_good = primary
            self.add_event(f"(deployment {primary.identity}) deployment completed.")
            self.add_event("has reached a steady state.")


class FargateQuotaError(Exception):
    """The account may run no more vCPUs. The message is ECS's."""


_DEFAULTS = {"maximumPercent": 200, "minimumHealthyPercent": 100}


def _has_failed(task: RehearsedTask) -> bool:
    return task.stop_code in (FAILED_TO_START, CONTAINER_EXITED) or task.stopped_reason.startswith(
        (_UNHEALTHY, _UNANSWERED)
    )


def _threshold(configuration: Mapping[str, Any] | None, desired: int) -> int:
    """Return the number of failures that trips the circuit breaker."""
    kind, value = (configuration or {}).get("type"), int((configuration or {}).get("value") or 0)
    if kind == "COUNT":
        return value
    count = math.ceil((value / 100 if kind else 0.5) * desired)
    return count if kind == "UNBOUNDED_PERCENT" else min(max(count, 3), 200)


def _add_security_groups(network: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if network is None:
        return None
    return {"awsvpcConfiguration": {"securityGroups": [], **network["awsvpcConfiguration"]}}


IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"
"""Standard: ECS, `rolloutState`."""


@dataclass
class EcsDeployment:
    """failures: number of failed tasks. streak: failures since the last healthy task.

    resting: time (seconds since 1970) before which no task is started.
    """

    task_definition: str
    network: Mapping[str, Any]
    identity: str = field(default_factory=lambda: f"ecs-svc/{uuid.uuid4().int % 10**19:019d}")
    state: str = IN_PROGRESS
    reason: str = ""
    failures: int = 0
    streak: int = 0
    resting: float = 0.0
    counted: set[str] = field(default_factory=set)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.reason = self.reason or f"ECS deployment {self.identity} in progress."

    def turn(self, state: str, reason: str) -> None:
        self.state, self.reason, self.updated = state, reason, datetime.now(UTC)

    def described(self, *, primary: bool, desired: int, running: int, pending: int) -> dict[str, Any]:
        """Describe it as DescribeServices does."""
        return {
            "id": self.identity,
            "status": "PRIMARY" if primary else "ACTIVE",
            "taskDefinition": self.task_definition,
            "desiredCount": desired,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": self.failures,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": self.network,
            "rolloutState": self.state,
            "rolloutStateReason": self.reason,
        }
