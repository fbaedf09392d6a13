"""The steps of the Deployment, its autoscaler and its disruption budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.errors import canary_stands
from mldeploy.providers.kubernetes.api import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, KubeClient, ObjectType
from mldeploy.providers.kubernetes.cloud import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.documents import Document, compare_manifest, number
from mldeploy.providers.kubernetes.errors import ApiStatusError, field_conflicts, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import workload as manifests
from mldeploy.providers.kubernetes.manifests.canary import canary_name, is_examined
from mldeploy.providers.kubernetes.manifests.workload import Workload, deployment_manifest
from mldeploy.providers.kubernetes.running import history
from mldeploy.providers.kubernetes.running.history import (
    ReplicaSetRevision,
    annotate_state,
    build_update,
    is_rolled_out,
)
from mldeploy.providers.kubernetes.running.patience import RolloutPatience
from mldeploy.providers.kubernetes.running.rollout import DeploymentRef, DeploymentRollout
from mldeploy.providers.kubernetes.secrets import list_stored_secrets
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps import trial
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret, PullSecret, prune_environments
from mldeploy.providers.kubernetes.steps.namespace import (
    Namespace,
    ObjectStep,
    delete_by_key,
    delete_by_name,
    require_owned,
    unless_deleting,
)
from mldeploy.providers.secret_store import StoredSecret, given_to_app, refuse_conflicts

ATTEMPTS = 5
ROLLBACK_SECONDS = 120.0
"""The timeout of an automatic rollback."""


@dataclass(frozen=True)
class RunningDeployment:
    """A Deployment on the server. image: None while it is not known. is_new: nothing ran before."""

    document: Document
    image: Image | None
    is_new: bool = False


@dataclass(frozen=True, eq=False)
class KubernetesDeployment(Step[HasCluster, RunningDeployment]):
    """The pods run this image and configuration, are ready, and no old pods are left."""

    kind: ClassVar[str] = "kubernetes-deployment"
    title: ClassVar[str] = "Roll out the deployment"

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

    def key(self) -> Key:
        return Key(self.owner.app, (*self.cluster.scope, self.space))

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[RunningDeployment] | None:
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            document = unless_deleting(kube.get(DEPLOYMENT, self.owner.app, self.space))
            has_trial = document is not None and trial.has_trial_pod(kube, self.owner, self.space)
            has_failed = document is not None and self._has_failed(kube, document)
            canary = kube.get(DEPLOYMENT, canary_name(self.owner), self.space) if document is not None else None
        if document is None:
            return None
        image, desired = outs.get(self.image), self._manifest(outs, document)
        drift: tuple[str, ...] = ("image → the one to be built",)
        if desired is not None:  # `scale` and `rollback` apply the whole spec; CONFIGURATION tells a changed template
            changed = manifests.list_secret_differences(desired, document)
            fields = compare_manifest(desired, document, removed=("metadata",))
            drift = (*changed, *(each for each in fields if manifests.STORED_VERSIONS not in each))
        if not drift and not is_rolled_out(document):
            drift = ("rollout → finished",)
        if not drift and has_failed:
            drift = ("failed the last time → serves",)
        if has_trial:
            drift = (*drift, "trial pod → deleted")
        if canary is not None and self.owner.owns(canary):
            remedy = "promoted or aborted" if is_examined(canary) else "deleted"
            drift = (*drift, f"a canary stands beside it → {remedy}")
        return Seen(RunningDeployment(document, image), drift, ours=self.owner.owns(document))

    def apply(
        self, cloud: HasCluster, outs: Outputs, seen: Seen[RunningDeployment] | None, monitor: Monitor
    ) -> RunningDeployment:
        """Roll the version out. Raises VerdictError if it cannot serve; then the Deployment is rolled back.

        With a golden row, and an old version that serves, the new version is first tried in a trial pod, and rolled
        out only if it answers the row.
        """
        outs[self.image].require_platform(self.project.build.platform, "the pods")
        golden = GoldenRow.load(self.project.check.golden, self.project.app) if self.project.check.golden else None
        with kubernetes_errors(str(self.resource)):
            kube = outs[self.cluster]
            self._refuse_canary(kube, monitor)
            tried = self._run_trial(kube, outs, golden, monitor)
            sent = self._apply_manifest(kube, outs, monitor)
            try:
                version = self._rollout(kube, sent, monitor, None if tried else golden).watch()
            except VerdictError:
                self._handle_failure(kube, monitor)
                raise
            annotate_state(kube, version, self.space, failed=False)
            self._prune(kube, sent)
            monitor.progress(Progress("", f"{self.owner.app} runs revision {version.number}"))
            return RunningDeployment(sent, outs[self.image], is_new=seen is None)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """Delete the Deployment and a trial pod, and return once all pods are deleted."""
        kube, space = cloud.kube(key.scope[:-1]), key.scope[-1]
        if kube is None:
            return False
        monitor.progress(Progress("", "waiting until its pods have stopped"))
        with kubernetes_errors(f"{DEPLOYMENT.kind} {key}"):
            was_tried = trial.delete_trial_pod(kube, cloud.owner, space, monitor)
            return delete_by_name(cloud.owner, kube, DEPLOYMENT, key.name, space, monitor) or was_tried

    def _refuse_canary(self, kube: KubeClient, monitor: Monitor) -> None:
        """Raises RefusedError while a canary stands. One that was not examined to the end is deleted."""
        canary = kube.get(DEPLOYMENT, canary_name(self.owner), self.space)
        if canary is None or not self.owner.owns(canary):
            return
        if is_examined(canary):
            stable = kube.get(DEPLOYMENT, self.owner.app, self.space)
            raise canary_stands(self.owner.app, str(history.revision_number(stable or {}) + 1))
        delete_by_name(self.owner, kube, DEPLOYMENT, canary_name(self.owner), self.space, monitor)

    def _has_failed(self, kube: KubeClient, document: Document) -> bool:
        """Whether the current version has failed: its pods may be ready, and answer the golden row wrongly."""
        if self.project.check.golden is None:
            return False
        current = history.current_revision(history.list_revisions(kube, self.owner, self.space, document), document)
        return current is not None and current.failed

    def _run_trial(self, kube: KubeClient, outs: Outputs, golden: GoldenRow | None, monitor: Monitor) -> bool:
        """Run a trial of the version, and return whether there was one. Raises VerdictError if it fails.

        There is none without a golden row, without a serving version, or without a change of the pods.
        """
        current = require_owned(kube, self.owner, DEPLOYMENT, self.owner.app, self.space, monitor)
        if current is None:
            return False
        trial.delete_trial_pod(kube, self.owner, self.space, monitor)
        desired = self._require_manifest(outs, current)
        if golden is None or not trial.needs_trial(desired, current):
            return False
        trial_pod = trial.TrialPod(kube, self.owner, self.space, self.project, self.settings, golden, monitor)
        trial_pod.run(desired, current)
        return True

    def _apply_manifest(self, kube: KubeClient, outs: Outputs, monitor: Monitor) -> Document:
        """Apply the manifest. Retries if an autoscaler changes the number of pods meanwhile."""
        for attempt in range(ATTEMPTS):
            current = require_owned(kube, self.owner, DEPLOYMENT, self.owner.app, self.space, monitor)
            try:
                return kube.apply(self._require_manifest(outs, current))
            except ApiStatusError as refusal:
                if not _is_about_scale(refusal) or self.settings.max is None or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _require_manifest(self, outs: Outputs, current: Document | None) -> Document:
        desired = self._manifest(outs, current)
        if desired is None:
            raise RefusedError(str(self.resource), "its image was deleted", "Deploy again.")
        return desired

    def _manifest(self, outs: Outputs, current: Document | None) -> Document | None:
        """Return the manifest; None while the image or its pull credentials are not known yet.

        Raises ConfigError if a stored secret is set in the configuration, too.
        """
        image, pull = outs.get(self.image), outs.get(self.pull) if self.pull else ""
        if image is None or pull is None:
            return None
        stored = list_given_secrets(outs[self.cluster], self.owner, self.space, self.project)
        secrets = (self.secret.name(),) if self.secret else ()
        replicas = self.settings.count(number(current, "spec", "replicas"))
        work = Workload(image.reference, replicas, (self.config.name(),), secrets, pull, stored)
        return deployment_manifest(self.owner, self.space, self.project, self.settings, work)

    def _rollout(
        self, kube: KubeClient, sent: Document, monitor: Monitor, golden: GoldenRow | None
    ) -> DeploymentRollout:
        generation, limit = number(sent, "metadata", "generation"), self.settings.rollout_timeout
        return DeploymentRollout(
            DeploymentRef(kube, self.owner, self.space),
            self.project,
            monitor,
            generation,
            limit,
            golden,
            self.settings.patience,
        )

    def _handle_failure(self, kube: KubeClient, monitor: Monitor) -> None:
        """Mark the version as failed, and roll back to the last good one, if there is one."""
        current = kube.get(DEPLOYMENT, self.owner.app, self.space)
        if current is None:
            return
        known = history.list_revisions(kube, self.owner, self.space, current)
        failed = history.current_revision(known, current)
        if failed is None:
            return
        annotate_state(kube, failed, self.space, failed=True)
        good = last_good_revision(known, failed)
        if good is None or not self.settings.rollback:
            return
        try:
            target = DeploymentRef(kube, self.owner, self.space)
            roll_back(target, self.project, current, good, monitor, ROLLBACK_SECONDS, self.settings.patience)
        except MldeployError as error:
            monitor.note(f"the rollback to revision {good.number} failed: {error.what}", warning=True)
        else:
            monitor.note(f"Rolled back to the previous version (revision {good.number} until now).")

    def _prune(self, kube: KubeClient, sent: Document) -> None:
        """Delete the configurations of versions that are no longer in the history."""
        known = history.list_revisions(kube, self.owner, self.space, sent)
        used = {self.config.name(), *((self.secret.name(),) if self.secret else ())}
        prune_environments(kube, self.owner, self.space, used.union(*(each.environment for each in known)))


def last_good_revision(known: tuple[ReplicaSetRevision, ...], but: ReplicaSetRevision) -> ReplicaSetRevision | None:
    """Return the newest revision before `but` that could serve."""
    return next((each for each in known if not each.failed and each.number < but.number), None)


def roll_back(
    target: DeploymentRef,
    project: Project,
    current: Document,
    to: ReplicaSetRevision,
    monitor: Monitor,
    limit: float,
    patience: RolloutPatience,
) -> ReplicaSetRevision:
    """Roll back to an earlier revision. Raises VerdictError if it cannot serve."""
    replicas = number(current, "spec", "replicas") or 1
    sent = target.kube.apply(build_update(target.owner, current, replicas=replicas, version=to))
    generation = number(sent, "metadata", "generation")
    return DeploymentRollout(target, project, monitor, generation, limit, patience=patience).watch()


def _is_about_scale(refusal: ApiStatusError) -> bool:
    return any(each.startswith(".spec.replicas") for each in field_conflicts(refusal))


@dataclass(frozen=True, eq=False)
class Autoscaler(ObjectStep):
    """Scales the number of pods with the load."""

    kind: ClassVar[str] = "kubernetes-autoscaler"
    title: ClassVar[str] = "Set up autoscaling"
    type: ClassVar[ObjectType] = AUTOSCALER

    namespace: Namespace
    settings: InClusterSettings
    deployment: KubernetesDeployment

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.autoscaler_manifest(self.owner, self.space, self.settings)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, AUTOSCALER, key, monitor)


@dataclass(frozen=True, eq=False)
class DisruptionBudget(ObjectStep):
    """A drained node evicts one pod at a time."""

    kind: ClassVar[str] = "kubernetes-disruption-budget"
    title: ClassVar[str] = "Guard against disruption"
    type: ClassVar[ObjectType] = DISRUPTION_BUDGET

    namespace: Namespace
    settings: InClusterSettings

    def manifest(self, outs: Outputs, current: Document | None) -> Document:
        return manifests.disruption_budget_manifest(self.owner, self.space, self.settings)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        return delete_by_key(cloud, DISRUPTION_BUDGET, key, monitor)


def list_given_secrets(kube: KubeClient, owner: Owner, space: str, project: Project) -> tuple[StoredSecret, ...]:
    """Return the stored secrets that the app gets. Raises ConfigError if one is set in the configuration, too."""
    with kubernetes_errors(f"the secrets of {project.app.name}"):
        stored = given_to_app(list_stored_secrets(kube, owner, space))
    refuse_conflicts(project.app, (each.name for each in stored))
    return stored
