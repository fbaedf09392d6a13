"""How many pods there are: by load, and while nodes are emptied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs
from mldeploy.providers.kubernetes.cluster import HasCluster
from mldeploy.providers.kubernetes.manifests import scaling as manifests
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps.deployment import Deployment
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import ObjectStep, removed
from mldeploy.providers.kubernetes.types import AUTOSCALER, DISRUPTION_BUDGET, ObjectType


@dataclass(frozen=True, eq=False)
class Autoscaler(ObjectStep):
    """Pods come and go with the load."""

    kind: ClassVar[str] = "kubernetes-autoscaler"
    title: ClassVar[str] = "Set up autoscaling"
    type: ClassVar[ObjectType] = AUTOSCALER

    namespace: Namespace
    settings: InClusterSettings
    deployment: Deployment

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.autoscaler(self.owner, self.space, self.settings)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, AUTOSCALER, key, monitor)


@dataclass(frozen=True, eq=False)
class DisruptionBudget(ObjectStep):
    """A node that is emptied takes one pod at a time."""

    kind: ClassVar[str] = "kubernetes-disruption-budget"
    title: ClassVar[str] = "Guard against disruption"
    type: ClassVar[ObjectType] = DISRUPTION_BUDGET

    namespace: Namespace

    def manifest(self, outs: Outputs, found: Document | None) -> Document:
        return manifests.disruption_budget(self.owner, self.space)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return removed(cloud, DISRUPTION_BUDGET, key, monitor)
