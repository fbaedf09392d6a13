"""What runs of an app on Fargate, and how it is operated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate import autoscaling, firewall
from mldeploy.providers.aws.fargate.canary import find_canary
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.header_rule import CANARY
from mldeploy.providers.aws.fargate.inventory import TaskRevision, list_revisions
from mldeploy.providers.aws.fargate.logs import TaskLogs
from mldeploy.providers.aws.fargate.rollout import ServiceRollout
from mldeploy.providers.aws.fargate.service_spec import ServiceChanges, apply_changes, target_fields
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.task_definition import revision_number
from mldeploy.providers.aws.fargate.tasks import (
    COUNT_TAG,
    ServiceState,
    Task,
    describe_service,
    find_task_urls,
    find_url,
    list_tasks,
    service_name,
)
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.releases import choose_release

POLL_SECONDS = 1.0
STOP_SECONDS = 300.0
HEALTH = {"HEALTHY": "healthy", "UNHEALTHY": "unhealthy"}


@dataclass(frozen=True)
class FargateService:
    """The app's service. Every method asks AWS anew."""

    cloud: FargateCloud
    project: Project
    settings: FargateSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    def instances(self) -> tuple[Instance, ...]:
        with aws_errors(self.app, "ecs"):
            tasks, state = list_tasks(self.cloud, self.app), describe_service(self.cloud, self.app)
            running = [task for task in tasks if task.status == "RUNNING"]
            # Only the load balancer can reach a task that is behind one.
            urls = {} if state and state.target_groups else find_task_urls(self.cloud, self.app, running)
            ordered = sorted(tasks, key=lambda task: (task.status == "RUNNING", task.health == "HEALTHY"), reverse=True)
            beside = list_tasks(self.cloud, self.app, purpose=CANARY) if self._find_canary(state) else ()
            return tuple(_build_instance(task, urls.get(task.arn, "")) for task in (*ordered, *beside))

    def url(self) -> str | None:
        with aws_errors(self.app, "ecs"):
            return find_url(self.cloud, self.app, self.settings.domain) or None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no log group."""
        with aws_errors(self.app, "logs"):
            yield from TaskLogs(self.cloud, self.app).lines(follow=follow, tail=tail)

    def stop(self) -> bool:
        with aws_errors(self.app, "ecs"):
            state = describe_service(self.cloud, self.app)
            if state is None or not state.ours or not state.desired:
                return False
            autoscaling.suspend_scaling(self.cloud, self.app)
            count = [{"key": COUNT_TAG, "value": str(state.desired)}]
            self.cloud.ecs.tag_resource(resourceArn=state.arn, tags=count)  # type: ignore[arg-type]
            self._set_count(0)
            beside = self._find_canary(state)
            if beside:
                self._set_count(0, CANARY)
            deadline = time.monotonic() + STOP_SECONDS
            while self._any_task(beside) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            return True

    def releases(self) -> tuple[Release, ...]:
        with aws_errors(self.app, "ecs"):
            serving = self._find_serving()
            url = find_url(self.cloud, self.app, self.settings.domain) if serving else ""
            beside = self._find_canary(describe_service(self.cloud, self.app))
            candidate = beside.newest.revision if beside else ""
            revisions = list_revisions(self.cloud, self.app)
            return tuple(_build_release(each, serving, url, candidate) for each in revisions)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Roll an earlier revision out. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with aws_errors(self.app, "ecs"):
            state = self._require_service()
            entry = self._find_revision(revision, state)
            rollout = self._expect_rollout(entry.arn, monitor)
            self._start_rollout(entry, state)
            rollout.watch()
            url = find_url(self.cloud, self.app, self.settings.domain)
            return Address(url, Image(entry.image, entry.image.partition("@")[2], "", 0, ()))

    def scale(self, count: int, monitor: Monitor) -> None:
        """Run so many tasks, and return once they are healthy. Raises VerdictError if they cannot be had."""
        with aws_errors(self.app, "ecs"):
            state = self._require_service()
            if autoscaling.describe_scaling(self.cloud, self.app):
                todo = f"Change `min` and `max` in [{TABLE}], and deploy."
                raise RefusedError(self.app, "autoscaling decides how many tasks run", todo)
            if self.settings.instances not in (None, count):
                text = f"The next deployment sets it to {self.settings.instances}, as {TABLE}.instances says."
                monitor.note(text, warning=True)
            rollout = self._expect_rollout(state.newest.revision, monitor)
            self._set_count(count)
            rollout.watch()

    def _find_revision(self, revision: str | None, state: ServiceState) -> TaskRevision:
        revisions = list_revisions(self.cloud, self.app)
        current = revision_number(state.newest.revision)
        last_good = next((each.number for each in revisions if not each.failed), None)
        rolled_back = bool(revisions) and revisions[0].failed and last_good == current
        return choose_release(self.app, revisions, revision, current, rolled_back=rolled_back)

    def _start_rollout(self, entry: TaskRevision, state: ServiceState) -> None:
        """An earlier version may have listened on another port, which has been closed since."""
        behind = frozenset((arn, entry.port) for arn, _ in state.target_groups)
        source = (
            firewall.find_group_id(self.cloud, self.app, firewall.BALANCER) if behind else self.settings.ingress_cidr
        )
        firewall.allow_port(self.cloud, self.app, entry.port, source)
        changes: ServiceChanges = {"taskDefinition": entry.arn}
        if behind != state.target_groups:
            changes["loadBalancers"] = target_fields(behind)
        apply_changes(self.cloud, self.app, changes, state, state.grace)

    def _set_count(self, count: int, purpose: str = "") -> None:
        name = service_name(self.app, purpose)
        self.cloud.ecs.update_service(cluster=resource_name(self.app), service=name, desiredCount=count)

    def _any_task(self, beside: ServiceState | None) -> bool:
        return bool(list_tasks(self.cloud, self.app)) or (
            beside is not None and bool(list_tasks(self.cloud, self.app, purpose=CANARY))
        )

    def _find_canary(self, state: ServiceState | None) -> ServiceState | None:
        """The service of the canary that stands beside this one."""
        info = find_canary(self.cloud, self.app) if state and state.target_groups else None
        return info.service if info and info.stands else None

    def _expect_rollout(self, revision: str, monitor: Monitor) -> ServiceRollout:
        rollout = ServiceRollout(self.cloud, self.project, revision, monitor, self.settings.rollout_timeout)
        rollout.disregard_the_past()
        return rollout

    def _find_serving(self) -> str:
        state = describe_service(self.cloud, self.app)
        if state is None or not state.ours:
            return ""
        healthy = [task.revision for task in list_tasks(self.cloud, self.app) if task.health == "HEALTHY"]
        return state.newest.revision if state.newest.revision in healthy else next(iter(healthy), "")

    def _require_service(self) -> ServiceState:
        state = describe_service(self.cloud, self.app)
        if state is None or state.status == "DRAINING":
            what = f"nothing runs on Fargate in {self.cloud.account.region}"
            raise AbsentError(self.app, what, "`mldeploy deploy --target fargate` brings it there.")
        if not state.ours:
            raise RefusedError(self.app, "mldeploy did not make the service of this name", "Operate it yourself.")
        return state


def _build_instance(task: Task, url: str) -> Instance:
    health = HEALTH.get(task.health, "starting" if task.status == "RUNNING" else "")
    return Instance(task.id, task.image, task.status.lower(), health, url, task.started)


def _build_release(entry: TaskRevision, serving: str, url: str, candidate: str) -> Release:
    named = {candidate: "candidate", serving: "serving"}
    state = named.get(entry.arn, "failed" if entry.failed else "old")
    return Release(str(entry.number), entry.image, entry.created, state, url if state == "serving" else "")
