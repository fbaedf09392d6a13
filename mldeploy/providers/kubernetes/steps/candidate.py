"""The steps of a canary: its Service, for a Gateway, and its Deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.app.client import GoldenRow
from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.providers.errors import nothing_serves
from mldeploy.providers.kubernetes.api import DEPLOYMENT, SERVICE, KubeClient, ObjectType
from mldeploy.providers.kubernetes.cloud import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.documents import Document, compare_manifest, number
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.canary import (
    READY,
    canary_deployment_manifest,
    canary_name,
    canary_service_manifest,
    configuration_of,
    is_examined,
)
from mldeploy.providers.kubernetes.manifests.render import SERVICE_PORT
from mldeploy.providers.kubernetes.manifests.workload import Workload, deployment_manifest
from mldeploy.providers.kubernetes.running.history import is_rolled_out
from mldeploy.providers.kubernetes.running.rollout import DeploymentRef, DeploymentRollout
from mldeploy.providers.kubernetes.running.traffic import InClusterTraffic, candidate_release, stable_release
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps import trial
from mldeploy.providers.kubernetes.steps.deployment import KubernetesDeployment, list_given_secrets
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret, PullSecret
from mldeploy.providers.kubernetes.steps.exposure import KubernetesService
from mldeploy.providers.kubernetes.steps.namespace import (
    Namespace,
    ObjectStep,
    delete_by_key,
    delete_by_name,
    require_owned,
    unless_deleting,
)
from mldeploy.providers.traffic import Candidate


@dataclass(frozen=True, eq=False)
class CanaryService(ObjectStep):
    """Selects the pods of the canary, for a Gateway."""

    kind: ClassVar[str] = KubernetesService.kind
    title: ClassVar[str] = "Create the canary's service"
    type: ClassVar[ObjectType] = SERVICE

    namespace: Namespace
    settings: InClusterSettings

    def key(self) -> Key:
        return Key(self.name(), (*self.cluster.scope, self.space))

    def name(self) -> str:
        return canary_name(self.owner)

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return canary_service_manifest(self.owner, self.space, dict(self.settings.labels), SERVICE_PORT)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, SERVICE, key, monitor)


@dataclass(frozen=True, eq=False)
class CanaryDeployment(Step[HasCluster, Candidate]):
    """A pod of this version is ready beside the serving version, has answered the golden row, and gets no requests."""

    kind: ClassVar[str] = KubernetesDeployment.kind
    title: ClassVar[str] = "Start the canary"

    project: Project
    settings: InClusterSettings
    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    namespace: Namespace
    image: PushedImage
    config: ConfigMap
    secret: EnvironmentSecret | None
    pull: PullSecret | None
    service: CanaryService | None

    def key(self) -> Key:
        return Key(canary_name(self.owner), (*self.cluster.scope, self.space))

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Candidate] | None:
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            stable, canary = (
                unless_deleting(kube.get(DEPLOYMENT, name, self.space)) for name in (self.owner.app, self._name)
            )
        desired = self._manifest(outs, stable)
        if stable and desired and self._serves(stable, desired):
            leftover = ("canary → deleted",) if canary else ()
            return Seen(Candidate(stable_release(stable)), leftover, ours=self.owner.owns(stable))
        if stable is None or canary is None:
            return None
        return Seen(
            Candidate(candidate_release(stable, canary)), self._drift(desired, canary), ours=self.owner.owns(canary)
        )

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor) -> Candidate:
        """Raises AbsentError if nothing serves, VerdictError if the version cannot serve: then it is deleted."""
        outs[self.image].require_platform(self.project.build.platform, "the pods")
        golden = GoldenRow.load(self.project.check.golden, self.project.app) if self.project.check.golden else None
        with kubernetes_errors(str(self.resource)):
            kube = outs[self.cluster]
            stable = self._require_serving(kube, monitor)
            desired = self._manifest(outs, stable)
            assert desired is not None  # noqa: S101 - all outputs are there
            self._clear(kube, desired, stable, monitor)
            if self._serves(stable, desired):
                return Candidate(stable_release(stable))
            return Candidate(candidate_release(stable, self._start(kube, desired, golden, monitor)))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, DEPLOYMENT, key, monitor)

    @property
    def _name(self) -> str:
        return canary_name(self.owner)

    def _require_serving(self, kube: KubeClient, monitor: Monitor) -> Document:
        stable = require_owned(kube, self.owner, DEPLOYMENT, self.owner.app, self.space, monitor)
        if stable is None or not number(stable, "status", "availableReplicas"):
            raise nothing_serves(self.owner.app)
        return stable

    def _clear(self, kube: KubeClient, desired: Document, stable: Document, monitor: Monitor) -> None:
        """Remove what an earlier command has left: a trial pod, and a canary of another version."""
        trial.delete_trial_pod(kube, self.owner, self.space, monitor)
        canary = require_owned(kube, self.owner, DEPLOYMENT, self._name, self.space, monitor)
        is_same = canary is not None and configuration_of(canary) == configuration_of(desired)
        if canary is None or (is_same and not self._serves(stable, desired)):
            return
        traffic = InClusterTraffic(lambda: kube, self.project, self.settings, self.owner)
        traffic.abort(monitor)
        if self.service:  # the Service that this graph has just applied was the earlier canary's, too
            kube.apply(canary_service_manifest(self.owner, self.space, dict(self.settings.labels), SERVICE_PORT))

    def _start(self, kube: KubeClient, desired: Document, golden: GoldenRow | None, monitor: Monitor) -> Document:
        """Apply the Deployment, and mark it once its pod has passed. It is deleted before any exception leaves."""
        current = kube.get(DEPLOYMENT, self._name, self.space)
        replicas = max(1, number(current, "spec", "replicas"))
        sent = kube.apply(canary_deployment_manifest(self.owner, desired, replicas))
        target, generation = (
            DeploymentRef(kube, self.owner, self.space, is_canary=True),
            number(sent, "metadata", "generation"),
        )
        limit, patience = self.settings.rollout_timeout, self.settings.patience
        try:
            DeploymentRollout(target, self.project, monitor, generation, limit, golden, patience).watch()
        except BaseException:
            delete_by_name(self.owner, kube, DEPLOYMENT, self._name, self.space, monitor.unstopped())
            raise
        kube.annotate(DEPLOYMENT, self._name, self.space, {READY: configuration_of(sent)})
        return sent

    def _manifest(self, outs: Outputs, stable: Document | None) -> Document | None:
        """Return the serving Deployment's manifest with this version; None while an input is missing."""
        image, pull = outs.get(self.image), outs.get(self.pull) if self.pull else ""
        if image is None or pull is None:
            return None
        stored = list_given_secrets(outs[self.cluster], self.owner, self.space, self.project)
        secrets = (self.secret.name(),) if self.secret else ()
        replicas = self.settings.count(number(stable, "spec", "replicas"))
        work = Workload(image.reference, replicas, (self.config.name(),), secrets, pull, stored)
        return deployment_manifest(self.owner, self.space, self.project, self.settings, work)

    def _serves(self, stable: Document, desired: Document) -> bool:
        """Whether the serving version is this one already."""
        return configuration_of(stable) == configuration_of(desired) and is_rolled_out(stable)

    def _drift(self, desired: Document | None, canary: Document) -> tuple[str, ...]:
        if desired is None:
            return ("image → the one to be built",)
        replicas = max(1, number(canary, "spec", "replicas"))
        drift = compare_manifest(
            canary_deployment_manifest(self.owner, desired, replicas), canary, removed=("metadata",)
        )
        return drift or (() if is_examined(canary) and is_rolled_out(canary) else ("canary → examined",))
