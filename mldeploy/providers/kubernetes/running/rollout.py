"""Watch a rollout until the new version serves, or until it is proven that it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from mldeploy.app.client import AnswerError, AppClient, GoldenRow, NoAnswer, NoAnswerError
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.kubernetes.api import DEPLOYMENT, EVENT, POD, REPLICA_SET, KubeClient, label_query
from mldeploy.providers.kubernetes.documents import Document, condition, number, text
from mldeploy.providers.kubernetes.forward import forward_port
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.canary import canary_name
from mldeploy.providers.kubernetes.running import logs
from mldeploy.providers.kubernetes.running.history import (
    ReplicaSetRevision,
    current_revision,
    is_rolled_out,
    parse_revisions,
)
from mldeploy.providers.kubernetes.running.patience import RolloutPatience
from mldeploy.providers.kubernetes.running.pods import Pod, parse_pods
from mldeploy.providers.kubernetes.running.verdict import (
    PodEvent,
    PodEvidence,
    build_verdict,
    is_final,
    parse_event,
    proves_failure,
    verdict_without_pod,
)
from mldeploy.providers.kubernetes.watch import MultiWatch, Selection

DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"


@dataclass(frozen=True)
class DeploymentRef:
    """A Deployment's owner and location. is_canary: the one beside the serving version."""

    kube: KubeClient
    owner: Owner
    namespace: str
    is_canary: bool = False

    @property
    def name(self) -> str:
        return canary_name(self.owner) if self.is_canary else self.owner.app

    @property
    def labels(self) -> dict[str, str]:
        """The labels that select its ReplicaSets and pods."""
        return self.owner.canary if self.is_canary else self.owner.selector

    @property
    def deployment(self) -> Selection:
        return Selection(DEPLOYMENT, self.namespace, (("fieldSelector", f"metadata.name={self.name}"),))

    @property
    def replica_sets(self) -> Selection:
        return Selection(REPLICA_SET, self.namespace, label_query(self.labels))

    @property
    def pods(self) -> Selection:
        return Selection(POD, self.namespace, label_query(self.labels))

    @property
    def events(self) -> Selection:
        return Selection(EVENT, self.namespace)


@dataclass(frozen=True)
class RolloutState:
    """The state at one moment. version: the revision that is rolled out, None until the cluster has observed it."""

    deployment: Document
    version: ReplicaSetRevision | None
    pods: tuple[Pod, ...]
    events: tuple[PodEvent, ...]

    @property
    def is_done(self) -> bool:
        return self.version is not None and is_rolled_out(self.deployment)


@dataclass
class DeploymentRollout:
    """One rollout of one app's Deployment. generation: the generation of the applied Deployment. limit: seconds.

    golden: the golden row for the first ready pod; None if it is already answered or not configured.
    """

    target: DeploymentRef
    project: Project
    monitor: Monitor
    generation: int
    limit: float
    golden: GoldenRow | None = None
    patience: RolloutPatience = RolloutPatience()  # noqa: RUF009 - it is frozen

    def watch(self) -> ReplicaSetRevision:
        """Return the serving revision once all pods belong to it.

        Raises VerdictError at the first proven cause; the old pods keep serving.
        """
        target, answered, last = self.target, self.golden is None, None
        with MultiWatch(target.kube, (target.deployment, target.replica_sets, target.pods, target.events)) as watch:
            for waited in watch.rounds(self.monitor, self.limit):
                last = self._read_state(watch)
                self._judge_all(last, waited)
                ready = next((each for each in last.pods if each.ready and not each.leaving), None)
                if self.golden is not None and not answered and ready is not None:
                    self._judge.check_golden(self.golden, ready)
                    answered = True
                self.monitor.progress(_progress(last))
                if last.is_done and last.version is not None and answered:
                    return last.version
        raise self._too_late(last)

    @cached_property
    def _judge(self) -> RolloutJudge:
        return RolloutJudge(self.target.kube, self.target.namespace, self.project, self.monitor, self.patience)

    def _read_state(self, watch: MultiWatch) -> RolloutState:
        deployment = next(iter(watch.seen(self.target.deployment)), None)
        if deployment is None:
            what = "its Deployment was deleted during the rollout"
            raise RefusedError(self.target.owner.app, what, "Deploy again.")
        known = parse_revisions(watch.seen(self.target.replica_sets), deployment)
        fresh = number(deployment, "metadata", "generation") >= self.generation
        version = current_revision(known, deployment) if fresh else None
        mine = [each for each in parse_pods(watch.seen(self.target.pods)) if version and each.version == version.hash]
        return RolloutState(deployment, version, tuple(mine), tuple(map(parse_event, watch.seen(self.target.events))))

    def _judge_all(self, state: RolloutState, waited: float) -> None:
        for pod in state.pods:
            self._judge.judge(pod, events_about(state.events, pod.uid), waited)
        is_late = waited >= self.patience.transient
        if state.version and state.version.refused and (is_late or is_final(state.version.refused)):
            raise verdict_without_pod(
                f"{self.target.owner.app}, revision {state.version.number}", state.version.refused
            )
        if (
            state.version
            and text(condition(state.deployment, "Progressing"), "reason") == DEADLINE_EXCEEDED
            and not state.is_done
        ):
            raise self._too_late(state)

    def _too_late(self, state: RolloutState | None) -> VerdictError:
        pod = next((each for each in state.pods if not each.ready), None) if state else None
        if state and pod is not None:
            return self._judge.verdict(pod, events_about(state.events, pod.uid), self.limit)
        message = text(condition(state.deployment, "Progressing"), "message") if state else ""
        return verdict_without_pod(
            self.target.owner.app, message or f"the cluster did not finish within {self.limit:.0f} s"
        )


def _progress(state: RolloutState) -> Progress:
    replicas = number(state.deployment, "spec", "replicas")
    ready = sum(each.ready and not each.leaving for each in state.pods)
    if state.version is None:
        return Progress("", "waiting for the cluster to observe the change", 0, replicas)
    if ready >= replicas:
        old = number(state.deployment, "status", "replicas") > number(state.deployment, "status", "updatedReplicas")
        next_ = "the old one finishes its requests" if old else "waiting for the cluster to update its status"
        return Progress("", f"the new version is ready; {next_}", ready, replicas)
    states = [each.waiting or each.phase.lower() for each in state.pods if not each.ready]
    return Progress("", f"a pod is {states[0]}" if states else "waiting for a pod", ready, replicas)


GRACE_SECONDS = 15.0
"""The additional time, after the app's start timeout, for the cluster to report a pod as ready."""
LOG_LINES = 60
ATTEMPTS = 2
RETRY_SECONDS = 0.5


@dataclass
class RolloutJudge:
    """Evaluates the pods of one version."""

    kube: KubeClient
    namespace: str
    project: Project
    monitor: Monitor
    patience: RolloutPatience
    _ran: dict[str, float] = field(default_factory=dict)
    """When each pod was first seen running, by this machine's clock."""

    def judge(self, pod: Pod, events: tuple[PodEvent, ...], waited: float) -> None:
        """Raises VerdictError once it is proven that this pod will not serve.

        events: the pod's events. waited: seconds since the watch began.
        """
        if proves_failure(pod, events, waited, self.patience):
            raise self.verdict(pod, events, waited - self._ran.get(pod.uid, waited))
        if pod.running and not pod.ready and not pod.leaving:
            ran = waited - self._ran.setdefault(pod.uid, waited)
            if ran > self.project.check.start_timeout + GRACE_SECONDS:
                raise self.verdict(pod, events, ran)

    def check_golden(self, golden: GoldenRow, pod: Pod) -> None:
        """Send the golden row to this pod, through the API server. Raises VerdictError if the answer is wrong."""
        self.monitor.progress(Progress("", f"sending the golden row to pod {pod.name}"))
        with (
            forward_port(self.kube, pod.name, self.namespace, self.project.app.port) as url,
            AppClient(url, monitor=self.monitor) as app,
        ):
            try:
                self._ask_golden(golden, app)
            except AnswerError as error:
                raise build_verdict(self.project, PodEvidence(pod, log=self._log(pod), answer=error)) from error

    def _ask_golden(self, golden: GoldenRow, app: AppClient) -> None:
        """Send the golden row, with retries: the connection through the API server and the node may break."""
        for _ in range(ATTEMPTS):
            try:
                return golden.check(app)
            except NoAnswerError as error:
                if error.silence is not NoAnswer.CUT:
                    raise
            self.monitor.wait(RETRY_SECONDS)
        return golden.check(app)

    def verdict(self, pod: Pod, events: tuple[PodEvent, ...], waited: float = 0.0) -> VerdictError:
        """Return why this pod does not serve. waited: seconds that it ran without being ready."""
        evidence = PodEvidence(pod, events, self._log(pod), waited=waited, access_todo=self.patience.access_todo)
        return build_verdict(self.project, evidence)

    def _log(self, pod: Pod) -> tuple[str, ...]:
        return logs.tail_log(self.kube, self.namespace, pod, LOG_LINES)


def events_about(events: Iterable[PodEvent], uid: str) -> tuple[PodEvent, ...]:
    """Return the events of one object, the oldest first."""
    return tuple(sorted((each for each in events if each.about == uid), key=lambda each: each.at))
