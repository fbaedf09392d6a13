"""A service: a scheduler that keeps as many tasks as are wanted, and brings in a new task definition bit by bit.

Standard: ECS, "Rolling update deployments" and "Deployment circuit breaker".
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.ecs.models import Service

from mldeploy.rehearsal.aws import elb
from mldeploy.rehearsal.aws.ecs.roles import RoleError
from mldeploy.rehearsal.aws.ecs.rollout import COMPLETED, FAILED, IN_PROGRESS, Rollout
from mldeploy.rehearsal.aws.ecs.task import CONTAINER_EXITED, FAILED_TO_START, SCHEDULER_INITIATED, RehearsedTask

_TICK = 0.2
"""Seconds between two looks of the scheduler."""
_UNHEALTHY = "Task failed container health checks"
_UNANSWERED = "Task failed ELB health checks in"


class RehearsedService(Service):
    """moto's, with the scheduler that it lacks. `begin` starts it."""

    def __init__(self, *, desired_count: int, network_configuration: Any = None, **others: Any) -> None:
        self._rollouts: list[Rollout] = []
        self._last_good: Rollout | None = None
        self._targets: dict[str, list[elb.Target]] = {}
        self._leaving: set[str] = set()
        self._mutex = threading.RLock()
        self.deployment_configuration: dict[str, Any] = {}
        self.client_token = ""
        self.health_check_grace_period_seconds: int | None = None
        self.created_at = datetime.now(UTC)
        super().__init__(desired_count=desired_count, network_configuration=_named(network_configuration), **others)
        self._rollouts = [Rollout(str(self.task_definition), self.network_configuration)]

    def begin(self, configuration: Mapping[str, Any] | None, token: str | None, grace: int | None) -> None:
        """Start to schedule. configuration, grace: `deploymentConfiguration`, `healthCheckGracePeriodSeconds`."""
        self.health_check_grace_period_seconds = grace
        self.deployment_configuration = {**_DEFAULTS, **(configuration or {})}
        self.client_token = token or ""
        threading.Thread(target=self._schedule, daemon=True).start()

    @property
    def tasks(self) -> list[RehearsedTask]:
        """All that are not stopped, or are told to stop and have not yet."""
        found = list(self._backend.tasks.get(self.cluster_name, {}).values())
        mine = [task for task in found if isinstance(task, RehearsedTask) and task.group == f"service:{self.name}"]
        return [task for task in mine if task.last_status != "STOPPED"]

    @property
    def running_count(self) -> int:
        return sum(task.last_status == "RUNNING" for task in self.tasks)

    @running_count.setter
    def running_count(self, value: int) -> None:
        """It is counted, not set."""

    @property
    def pending_count(self) -> int:
        return sum(task.last_status in ("PROVISIONING", "PENDING") for task in self.tasks)

    @pending_count.setter
    def pending_count(self, value: int) -> None:
        """It is counted, not set."""

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """As DescribeServices shows them, the newest first."""
        return [self._described(rollout) for rollout in list(self._rollouts)]

    @deployments.setter
    def deployments(self, value: object) -> None:
        """They are ours."""

    def _described(self, rollout: Rollout) -> dict[str, Any]:
        tasks = [task for task in self.tasks if task.started_by == rollout.identity]
        primary = rollout is self._rollouts[0]
        return rollout.described(
            primary=primary,
            desired=self.desired_count if primary else len(tasks),
            running=sum(task.last_status == "RUNNING" for task in tasks),
            pending=sum(task.last_status in ("PROVISIONING", "PENDING") for task in tasks),
        )

    def roll_out(self, task_definition: str) -> None:
        """Begin a new deployment; what runs goes on until it can be replaced."""
        with self._mutex:
            self.task_definition = task_definition
            self._rollouts.insert(0, Rollout(task_definition, self.network_configuration))

    def drain(self) -> None:
        """Stop all; once nothing runs any more, it is INACTIVE."""
        with self._mutex:
            self.status, self.desired_count = "DRAINING", 0

    def tell(self, what: str) -> None:
        """Write an event, the newest of which comes first."""
        event = {"id": str(uuid.uuid4()), "createdAt": datetime.now(UTC), "message": f"(service {self.name}) {what}"}
        self.events.insert(0, event)

    def _schedule(self) -> None:
        while self.status != "INACTIVE":
            with self._mutex:
                self._tick()
            time.sleep(_TICK)

    def _tick(self) -> None:
        primary = self._rollouts[0]
        for rollout in self._rollouts:
            self._count_failures(rollout)
        self._judge(primary)
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

    def _count_failures(self, rollout: Rollout) -> None:
        for task in list(self._backend.tasks.get(self.cluster_name, {}).values()):
            if not isinstance(task, RehearsedTask) or task.started_by != rollout.identity or task.id in rollout.counted:
                continue
            if self._is_well(task):
                rollout.streak = 0
                continue
            if task.last_status == "RUNNING" and task.health_status == "UNHEALTHY":
                self.tell(f"(task {task.id}) failed container health checks.")
                task.stop(_UNHEALTHY, SCHEDULER_INITIATED)
            elif task.last_status == "RUNNING" and (group := self._unanswered(task)):
                self.tell(f"(task {task.id}) is unhealthy in (target-group {group}).")
                task.stop(f"{_UNANSWERED} (target-group {group})", SCHEDULER_INITIATED)
            elif task.desired_status != "STOPPED" or not _has_failed(task):
                continue
            rollout.counted.add(task.id)
            rollout.failures += 1
            rollout.streak += 1
            rollout.resting = time.time() + task.stage.pace

    def _judge(self, primary: Rollout) -> None:
        """Give a deployment up whose tasks go on failing, and go back if that is wished."""
        breaker = self.deployment_configuration.get("deploymentCircuitBreaker") or {}
        if primary.state != IN_PROGRESS or not breaker.get("enable"):
            return
        if primary.streak < _threshold(breaker.get("thresholdConfiguration"), self.desired_count):
            return
        primary.turn(FAILED, "ECS deployment circuit breaker: tasks failed to start.")
        self.tell(f"(deployment {primary.identity}) deployment failed: tasks failed to start.")
        good = self._last_good
        if breaker.get("rollback") and good is not None and good.task_definition != primary.task_definition:
            self.tell(f"rolling back to deployment {good.identity}.")
            self.task_definition = good.task_definition
            good.turn(IN_PROGRESS, f"ECS deployment circuit breaker: rolling back to deploymentId {good.identity}.")
            self._rollouts = [good, *(each for each in self._rollouts if each is not good)]

    def _start(self, primary: Rollout, mine: int, live: int) -> None:
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
            except RoleError as error:
                self.tell(f"failed to launch a task with (error {error}).")
                primary.resting = time.time() + 1
                return
            self.tell(f"has started 1 tasks: (task {task.id}).")

    def _replace(self, primary: Rollout, live: Sequence[RehearsedTask], old: Sequence[RehearsedTask]) -> None:
        """Stop as many old tasks as can be spared: the unwell at once, the others as new ones take their place."""
        if primary.state == FAILED:
            return
        lower = math.ceil(self.desired_count * self.deployment_configuration["minimumHealthyPercent"] / 100)
        well = sum(self._is_well(task) for task in live)
        for task in old:
            if not self._is_well(task):
                self._retire(task, primary)
            elif well > lower:
                well -= 1
                self._retire(task, primary)

    def _retire(self, task: RehearsedTask, primary: Rollout) -> None:
        self.tell(f"has stopped 1 running tasks: (task {task.id}).")
        self._leaving.add(task.id)
        reason = f"Scaling activity initiated by (deployment {primary.identity})"
        threading.Thread(target=self._see_off, args=(task, reason), daemon=True).start()

    def _see_off(self, task: RehearsedTask, reason: str) -> None:
        """Let it answer what it has been asked, and stop it."""
        for target in self._targets.pop(task.id, ()):
            elb.of(self.region_name).remove(target)
        task.stop(reason, SCHEDULER_INITIATED)

    def _balance(self, task: RehearsedTask) -> None:
        """Register a task with the load balancers, once it runs."""
        address = task.container_address
        if address is None or task.id in self._targets:
            return
        self._targets[task.id] = [
            elb.of(self.region_name).add(each["targetGroupArn"], task.private_ip, address, int(each["containerPort"]))
            for each in self.load_balancers
        ]

    def _is_well(self, task: RehearsedTask) -> bool:
        """It is healthy by itself, and each load balancer says so, too."""
        if not task.is_well or task.id in self._leaving:
            return False
        targets = self._targets.get(task.id)
        return targets is not None and all(each.state == elb.HEALTHY for each in targets)

    def _unanswered(self, task: RehearsedTask) -> str:
        """The target group in which a task that had time enough is unhealthy; empty if there is none."""
        started = task.started_at or datetime.now(UTC)
        if datetime.now(UTC) - started < timedelta(seconds=(self.health_check_grace_period_seconds or 0)):
            return ""
        bad = (each.group.arn for each in self._targets.get(task.id, ()) if each.state == elb.UNHEALTHY)
        return next(bad, "")

    def _settle(self, primary: Rollout) -> None:
        """See whether it is over."""
        tasks = self.tasks
        if self.status == "DRAINING":
            if not tasks:
                self.status = "INACTIVE"
            return
        with_tasks = {task.started_by for task in tasks}
        self._rollouts[1:] = [each for each in self._rollouts[1:] if each.identity in with_tasks]
        if primary is not self._rollouts[0] or primary.state != IN_PROGRESS or len(self._rollouts) > 1:
            return
        if sum(self._is_well(task) for task in tasks) >= self.desired_count:
            primary.turn(COMPLETED, f"ECS deployment {primary.identity} completed.")
            self._last_good = primary
            self.tell(f"(deployment {primary.identity}) deployment completed.")
            self.tell("has reached a steady state.")


_DEFAULTS = {"maximumPercent": 200, "minimumHealthyPercent": 100}


def _has_failed(task: RehearsedTask) -> bool:
    return task.stop_code in (FAILED_TO_START, CONTAINER_EXITED) or task.stopped_reason.startswith(
        (_UNHEALTHY, _UNANSWERED)
    )


def _threshold(configuration: Mapping[str, Any] | None, desired: int) -> int:
    """How many tasks may fail."""
    kind, value = (configuration or {}).get("type"), int((configuration or {}).get("value") or 0)
    if kind == "COUNT":
        return value
    count = math.ceil((value / 100 if kind else 0.5) * desired)
    return count if kind == "UNBOUNDED_PERCENT" else min(max(count, 3), 200)


def _named(network: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if network is None:
        return None
    return {"awsvpcConfiguration": {"securityGroups": [], **network["awsvpcConfiguration"]}}
