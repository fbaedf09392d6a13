"""The ECS service: it keeps the tasks running and brings a new version in beside the old one.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate.canary import find_canary, settle_canary
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import EcsCluster
from mldeploy.providers.aws.fargate.errors import retry_while_young, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.listener import LoadBalancerListener
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.rollout import ServiceRollout
from mldeploy.providers.aws.fargate.service_removal import delete_service
from mldeploy.providers.aws.fargate.service_spec import ServiceSpec, apply_changes, create_request, list_changes
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.targets import TargetGroup, key_purpose
from mldeploy.providers.aws.fargate.task_definition import TaskDefinition, mark_failed, revision_number
from mldeploy.providers.aws.fargate.tasks import ServiceState, describe_service, find_url
from mldeploy.providers.aws.fargate.trial import GoldenTrial

BEHIND_BALANCER = "reached at the task's own address → through the load balancer; the tasks are started anew"
AT_OWN_ADDRESS = "reached through the load balancer → at the task's own address; the tasks are started anew"
"""ECS starts every task anew for it, the new ones before the old ones stop."""
LEFTOVER = "what is left of a canary → removed"


@dataclass(frozen=True)
class RunningService:
    """A service that runs the app. is_new: nothing served before. before: where the old version answered."""

    revision: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    before: str = ""


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
    trial: GoldenTrial | None = None
    """What a revision has passed before the service gets it; None without a golden row."""

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
        if state.target_groups and (canary := find_canary(cloud, self.key().name)):
            drift.append("a canary stands beside it → promoted or aborted" if canary.stands else LEFTOVER)
        out = RunningService(state.newest.revision, task.image if task else None)
        return Seen(out, tuple(drift), ours=state.ours)

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[RunningService] | None, monitor: Monitor
    ) -> RunningService:
        """Raises VerdictError if the new version cannot serve: the old one goes on. RefusedError beside a canary."""
        task, app = outs[self.task], self.key().name
        if self.targets or seen:
            settle_canary(cloud, app, monitor)
        before = "" if seen is None else find_url(cloud, app, self.settings.domain)
        rollout = ServiceRollout(cloud, self.project, task.arn, monitor, self.settings.rollout_timeout)
        rollout.disregard_the_past()
        if seen is None:
            self._create(cloud, outs, monitor)
        else:
            self._update(cloud, outs)
        try:
            rollout.watch()
        except VerdictError:
            mark_failed(cloud, task.arn)
            raise
        monitor.progress(Progress("", f"{app} runs revision {revision_number(task.arn)}"))
        return RunningService(task.arn, task.image, is_new=seen is None, was_changed=True, before=before)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Stops every task, and returns once their network interfaces are released."""
        app, purpose = key_purpose(key)
        return delete_service(cloud, app, monitor, purpose)

    def _list_differences(self, state: ServiceState, outs: Outputs) -> list[str]:
        desired = self._build_spec(outs, state)
        lines = []
        if desired.count is not None and desired.count != state.desired:
            lines.append(f"tasks {state.desired} → {desired.count}")
        if desired.percent != state.percent:
            lines.append(f"deployment percentages {state.percent} → {desired.percent}")
        if desired.rebalancing != state.rebalancing:
            lines.append(f"availability zone rebalancing {state.rebalancing} → {desired.rebalancing}")
        if desired.subnets and frozenset(desired.subnets) != state.subnets:
            lines.append("subnets → those of the network")
        if desired.group and frozenset((desired.group,)) != state.groups:
            lines.append("security group → the app's own")
        if bool(self.targets) != bool(state.target_groups):
            lines.append(BEHIND_BALANCER if self.targets else AT_OWN_ADDRESS)
        elif desired.targets is not None and desired.targets != state.target_groups:
            lines.append("what is behind the load balancer → the app on its port")
        elif state.target_groups and desired.grace != state.grace:
            lines.append(f"time to become healthy {state.grace} s → {desired.grace} s")
        return lines

    def _build_spec(self, outs: Outputs, state: ServiceState | None) -> ServiceSpec:
        network, group, task = outs.get(self.network), outs.get(self.firewall), outs.get(self.task)
        return ServiceSpec(
            revision=task.arn if task else "",
            subnets=network.subnets if network else (),
            group=group.id if group else "",
            count=self.settings.count(state.desired, state.stopped_from) if state else self.settings.count(0),
            percent=(self.settings.minimum_healthy_percent, self.settings.maximum_percent),
            rebalancing=self.settings.rebalancing,
            grace=self.settings.grace(self.project) if self.targets else 0,
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
        request = create_request(app, self._build_spec(outs, None), str(uuid.uuid4()))
        retry_while_young(monitor, lambda: cloud.ecs.create_service(**request))

    def _update(self, cloud: FargateCloud, outs: Outputs) -> None:
        """Send what differs, and nothing else: a field that is sent may replace every task, although it is the same."""
        app = self.key().name
        state = describe_service(cloud, app)
        if state is None:
            raise RefusedError(app, "its service was deleted a moment ago", "Deploy again.")
        desired = self._build_spec(outs, state)
        apply_changes(cloud, app, list_changes(desired, state), state, desired.grace)


def _describe_unsettled(state: ServiceState) -> str:
    return "the last rollout failed → tried again" if state.newest.state == "FAILED" else "rollout → finished"
