"""The trial of a revision: it must answer the golden row in a task of its own before the service gets it.

A trial that was passed is a tag on the revision, so that nothing is asked twice, whoever deploys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar

from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import EcsCluster
from mldeploy.providers.aws.fargate.errors import translate_errors
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.header_rule import HeaderRule
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.task_definition import (
    TaskDefinition,
    mark_failed,
    mark_passed,
    read_golden_tag,
)
from mldeploy.providers.aws.fargate.tasks import network_configuration
from mldeploy.providers.aws.fargate.trial_task import TrialTask, list_trial_tasks, stop_trial_tasks


@translate_errors("ecs")
@dataclass(frozen=True, eq=False)
class GoldenTrial(Step[FargateCloud, None]):
    """The newest revision has answered the golden row, and no task of a trial runs."""

    kind: ClassVar[str] = "golden-trial"
    title: ClassVar[str] = "Check the golden row"

    project: Project
    settings: FargateSettings
    golden: GoldenRow
    task: TaskDefinition
    cluster: EcsCluster
    network: Network
    firewall: SecurityGroup
    rule: HeaderRule | None = None
    """How the trial is reached where only a load balancer can reach a task."""

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[None] | None:
        task = outs.get(self.task)
        return None if task is None else Seen(None, tuple(self._drift(cloud, task.arn)))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        """Raises VerdictError if the revision cannot serve or answers otherwise: the service stays as it is."""
        app, revision = self.project.app.name, outs[self.task].arn
        stop_trial_tasks(cloud, app)
        if read_golden_tag(cloud, revision) == self._digest:
            return
        route = outs[self.rule] if self.rule else None
        network = network_configuration(outs[self.network].subnets, outs[self.firewall].id)
        trial = TrialTask(cloud, self.project, self.settings, self.golden, monitor, route)
        try:
            trial.run(revision, network)
        except VerdictError:
            mark_failed(cloud, revision)
            raise
        mark_passed(cloud, revision, self._digest)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """What a killed command has left of a trial."""
        return stop_trial_tasks(cloud, key.name)

    def _drift(self, cloud: FargateCloud, revision: str) -> Iterator[str]:
        if read_golden_tag(cloud, revision) != self._digest:
            yield "golden row not answered → answered"
        if list_trial_tasks(cloud, self.project.app.name):
            yield "a trial task runs → stopped"

    @property
    def _digest(self) -> str:
        """Another golden row is another trial."""
        return hashlib.sha256(json.dumps(asdict(self.golden.golden), sort_keys=True).encode()).hexdigest()[:16]
