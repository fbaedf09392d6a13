"""The last steps of a canary's graph: what leads to the candidate, and the service that runs it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate.canary import (
    ABORTED,
    EXAMINED,
    find_canary,
    remove_canary,
    retire_service,
    service_key,
    set_state,
)
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import EcsCluster
from mldeploy.providers.aws.fargate.errors import retry_while_young, translate_errors
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.header_rule import CANARY, HeaderRule
from mldeploy.providers.aws.fargate.inventory import describe_task_revision
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.rollout import ServiceRollout
from mldeploy.providers.aws.fargate.service import EcsService
from mldeploy.providers.aws.fargate.service_spec import ServiceSpec, create_request
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.targets import TargetGroup, find_target_group
from mldeploy.providers.aws.fargate.task_definition import (
    Revision,
    TaskDefinition,
    describe_revision,
    mark_failed,
    revision_number,
)
from mldeploy.providers.aws.fargate.tasks import ServiceState, describe_service
from mldeploy.providers.aws.fargate.trial import GoldenTrial
from mldeploy.providers.base import Release
from mldeploy.providers.errors import nothing_serves
from mldeploy.providers.traffic import Candidate

WITHOUT = "Deploy this change without a canary."


@dataclass(frozen=True, eq=False)
class ServingTargets(TargetGroup):
    """The serving version's target group: a canary must not change how the load balancer asks for its health."""

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        """Raises RefusedError for another health path."""
        group = find_target_group(cloud, self.app)
        if group and group["HealthCheckPath"] != self.health:
            what = f"the health path changes from {group['HealthCheckPath']} to {self.health}"
            raise RefusedError(self.app, what, WITHOUT)
        return super().apply(cloud, outs, seen, monitor)


@dataclass(frozen=True, eq=False)
class CandidateTargets(TargetGroup):
    """The target group of the candidate's tasks, made once the version has answered the golden row."""

    title: ClassVar[str] = "Create the canary's target group"
    journaled: ClassVar[bool] = False
    """A promotion removes it on whatever machine; by its tags it is found without a journal."""

    trial: GoldenTrial | None = None


@dataclass(frozen=True, eq=False)
class CandidateRule(HeaderRule):
    """Requests with a secret header reach one of the two versions alone."""

    title: ClassVar[str] = "Route to one version"
    journaled: ClassVar[bool] = False


@translate_errors("ecs")
@dataclass(frozen=True, eq=False)
class CandidateService(Step[FargateCloud, Candidate]):
    """A task of the new version is healthy behind a target group of its own, which gets no requests."""

    kind: ClassVar[str] = EcsService.kind
    title: ClassVar[str] = "Start the canary"
    journaled: ClassVar[bool] = False

    project: Project
    settings: FargateSettings
    task: TaskDefinition
    cluster: EcsCluster
    network: Network
    firewall: SecurityGroup
    targets: CandidateTargets
    rules: tuple[CandidateRule, ...]
    """A target group takes tasks only once a load balancer sends something to it."""

    def key(self) -> Key:
        return service_key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Candidate] | None:
        app, task = self.project.app.name, outs.get(self.task)
        stable, canary = describe_service(cloud, app), find_canary(cloud, app)
        service = canary.service if canary else None
        if stable is None or task is None:
            return None
        if _serves(stable, task):
            leftover = ("canary → removed",) if canary else ()
            return Seen(Candidate(to_release(cloud, app, task.arn, "serving")), leftover, ours=stable.ours)
        if canary is None or service is None:
            return None
        is_ready = canary.stands and service.is_settled and service.newest.revision == task.arn
        release = to_release(cloud, app, service.newest.revision, "candidate")
        return Seen(Candidate(release), () if is_ready else ("canary → examined",))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor) -> Candidate:
        """Raises AbsentError if nothing serves, VerdictError if the version cannot serve: then it is removed."""
        app, task = self.project.app.name, outs[self.task]
        stable = self._require_serving(cloud)
        self._check_differences(cloud, stable, task)
        canary = find_canary(cloud, app)
        if _serves(stable, task):
            if canary:
                remove_canary(cloud, app, canary, ABORTED, monitor)
            return Candidate(to_release(cloud, app, task.arn, "serving"))
        try:
            if canary and canary.service:
                retire_service(cloud, app, canary, ABORTED, monitor, keep=task.arn)
            set_state(cloud, outs[self.targets], "")
            self._start(cloud, outs, stable, monitor)
            set_state(cloud, outs[self.targets], EXAMINED)
        except BaseException:
            self._remove_quietly(cloud, monitor.unstopped(), task.arn)
            raise
        return Candidate(to_release(cloud, app, task.arn, "candidate"))

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        return EcsService.undo(cloud, key, monitor)

    def _require_serving(self, cloud: FargateCloud) -> ServiceState:
        app = self.project.app.name
        stable = describe_service(cloud, app)
        if stable is None or stable.status != "ACTIVE" or not stable.ours or not stable.running:
            raise nothing_serves(app)
        if not stable.target_groups:
            what = "the serving version is not behind the load balancer yet"
            raise RefusedError(app, what, f"{WITHOUT} The one after it can be a canary.")
        return stable

    def _check_differences(self, cloud: FargateCloud, stable: ServiceState, task: Revision) -> None:
        """Raises RefusedError for what is not the version's alone: both would have to have it."""
        app = self.project.app.name
        was, _ = describe_revision(cloud, stable.newest.revision, app)
        if was.port != task.spec.port:
            raise RefusedError(app, f"the port changes from {was.port} to {task.spec.port}", WITHOUT)

    def _start(self, cloud: FargateCloud, outs: Outputs, stable: ServiceState, monitor: Monitor) -> None:
        app, revision = self.project.app.name, outs[self.task].arn
        spec = ServiceSpec(
            revision=revision,
            subnets=outs[self.network].subnets,
            group=outs[self.firewall].id,
            count=1,
            percent=stable.percent,
            rebalancing=self.settings.rebalancing,
            grace=self.settings.grace(self.project),
            targets=frozenset(((outs[self.targets], self.project.app.port),)),
        )
        rollout = ServiceRollout(cloud, self.project, revision, monitor, self.settings.rollout_timeout, CANARY)
        rollout.disregard_the_past()
        request = create_request(app, spec, str(uuid.uuid4()), CANARY)
        retry_while_young(monitor, lambda: cloud.ecs.create_service(**request))
        try:
            rollout.watch()
        except VerdictError:
            mark_failed(cloud, revision)
            raise

    def _remove_quietly(self, cloud: FargateCloud, monitor: Monitor, revision: str) -> None:
        """Remove what was begun. The revision stays, as that of a failed deployment does."""
        app = self.project.app.name
        try:
            with aws_errors(app, "ecs"):
                canary = find_canary(cloud, app)
                if canary:
                    remove_canary(cloud, app, canary, ABORTED, monitor, keep=revision)
        except MldeployError as error:
            text = f"The canary was not removed ({error.what}). `mldeploy canary abort` removes it."
            monitor.note(text, warning=True)


def to_release(cloud: FargateCloud, app: str, revision: str, state: str) -> Release:
    """A version as `history` lists it."""
    entry = describe_task_revision(cloud, revision, app)
    image, created = (entry.image, entry.created) if entry else ("", "")
    return Release(str(revision_number(revision)), image, created, state)


def _serves(stable: ServiceState, task: Revision) -> bool:
    return stable.ours and stable.is_settled and stable.newest.revision == task.arn
