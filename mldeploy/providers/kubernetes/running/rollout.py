"""Watching a rollout until the new version serves, or until it is proven that it will not."""

from __future__ import annotations

from dataclasses import dataclass, field

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import AnswerError, AppClient, GoldenRow
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.api import Kube, selecting
from mldeploy.providers.kubernetes.forward import forwarded
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, condition, number, text
from mldeploy.providers.kubernetes.running import logs
from mldeploy.providers.kubernetes.running.history import Version, current, is_settled, versions
from mldeploy.providers.kubernetes.running.pods import Pod, pods
from mldeploy.providers.kubernetes.running.verdict import (
    Evidence,
    Said,
    proves_failure,
    said_of,
    verdict,
    without_pod,
)
from mldeploy.providers.kubernetes.types import DEPLOYMENT, EVENT, POD, REPLICA_SET
from mldeploy.providers.kubernetes.watching import Selection, Watch

PATIENCE_SECONDS = 45.0
"""So long a complaint that may pass by itself is waited out: a cluster that adds nodes says so within that time."""
GRACE_SECONDS = 15.0
"""What the cluster may take to find a pod ready once the app's time to start is over."""
LOG_LINES = 60
LATE = "ProgressDeadlineExceeded"


@dataclass(frozen=True)
class Place:
    """Whose Deployment it is, and where."""

    kube: Kube
    owner: Owner
    namespace: str

    @property
    def deployment(self) -> Selection:
        return Selection(DEPLOYMENT, self.namespace, (("fieldSelector", f"metadata.name={self.owner.app}"),))

    @property
    def replica_sets(self) -> Selection:
        return Selection(REPLICA_SET, self.namespace, selecting(self.owner.selector))

    @property
    def pods(self) -> Selection:
        return Selection(POD, self.namespace, selecting(self.owner.selector))

    @property
    def events(self) -> Selection:
        return Selection(EVENT, self.namespace)


@dataclass(frozen=True)
class Look:
    """What is known at one moment. version: what is rolled out, None until the cluster has taken note of it."""

    deployment: Document
    version: Version | None
    pods: tuple[Pod, ...]
    said: tuple[Said, ...]

    def about(self, uid: str) -> tuple[Said, ...]:
        """What was said of one object, the oldest first."""
        return tuple(sorted((each for each in self.said if each.about == uid), key=lambda each: each.at))

    @property
    def is_done(self) -> bool:
        return self.version is not None and is_settled(self.deployment)


@dataclass
class Rollout:
    """One rollout of one app's Deployment. generation: that of the Deployment as it was sent. limit: seconds."""

    place: Place
    project: Project
    monitor: Monitor
    generation: int
    limit: float
    golden: GoldenRow | None = None
    _ran: dict[str, float] = field(default_factory=dict)
    """When each pod was first seen running: the cluster's clock need not be this machine's."""

    def watch(self) -> Version:
        """Return the version that serves, once all pods are its own.

        Raises VerdictError at the first proven cause; the old pods go on serving.
        """
        place, asked, last = self.place, self.golden is None, None
        with Watch(place.kube, (place.deployment, place.replica_sets, place.pods, place.events)) as watch:
            for waited in watch.rounds(self.monitor, self.limit):
                last = self._look(watch)
                self._judge(last, waited)
                ready = next((each for each in last.pods if each.ready and not each.leaving), None)
                if not asked and ready is not None:
                    self._ask(ready)
                    asked = True
                self.monitor.progress(_told(last))
                if last.is_done and last.version is not None and asked:
                    return last.version
        raise self._too_late(last)

    def _look(self, watch: Watch) -> Look:
        found = next(iter(watch.seen(self.place.deployment)), None)
        if found is None:
            what = "its Deployment was deleted while it was rolled out"
            raise RefusedError(self.place.owner.app, what, "Deploy again.")
        known = versions(watch.seen(self.place.replica_sets), found)
        fresh = number(found, "metadata", "generation") >= self.generation
        version = current(known, found) if fresh else None
        mine = [each for each in pods(watch.seen(self.place.pods)) if version and each.version == version.hash]
        return Look(found, version, tuple(mine), tuple(map(said_of, watch.seen(self.place.events))))

    def _judge(self, look: Look, waited: float) -> None:
        patient = waited < PATIENCE_SECONDS
        for pod in look.pods:
            told = look.about(pod.uid)
            if proves_failure(pod, told, patient=patient):
                raise self._verdict(pod, told, 0.0)
            if pod.running and not pod.ready and not pod.leaving:
                ran = waited - self._ran.setdefault(pod.uid, waited)
                if ran > self.project.check.start_timeout + GRACE_SECONDS:
                    raise self._verdict(pod, told, ran)
        if look.version and look.version.refused and (not patient or _is_final(look.version.refused)):
            raise without_pod(f"{self.place.owner.app}, revision {look.version.number}", look.version.refused)
        if look.version and text(condition(look.deployment, "Progressing"), "reason") == LATE and not look.is_done:
            raise self._too_late(look)

    def _ask(self, pod: Pod) -> None:
        """The golden row, of the new version itself, while the old one still serves."""
        if self.golden is None:
            return
        self.monitor.progress(Progress("", f"asking pod {pod.name} the golden row"))
        with (
            forwarded(self.place.kube, pod.name, self.place.namespace, self.project.app.port) as url,
            AppClient(url) as app,
        ):
            try:
                self.golden.ask(app)
            except AnswerError as error:
                raise verdict(self.project, Evidence(pod, log=self._log(pod), answer=error)) from error

    def _verdict(self, pod: Pod, told: tuple[Said, ...], waited: float) -> VerdictError:
        return verdict(self.project, Evidence(pod, told, self._log(pod), waited=waited))

    def _log(self, pod: Pod) -> tuple[str, ...]:
        return logs.last_lines(self.place.kube, self.place.namespace, pod, LOG_LINES)

    def _too_late(self, look: Look | None) -> VerdictError:
        pod = next((each for each in look.pods if not each.ready), None) if look else None
        if look and pod is not None:
            return self._verdict(pod, look.about(pod.uid), self.limit)
        said = text(condition(look.deployment, "Progressing"), "message") if look else ""
        return without_pod(self.place.owner.app, said or f"the cluster did not finish within {self.limit:.0f} s")


def _is_final(refused: str) -> bool:
    return "exceeded quota" in refused or "violates PodSecurity" in refused


def _told(look: Look) -> Progress:
    wanted = number(look.deployment, "spec", "replicas")
    ready = sum(each.ready and not each.leaving for each in look.pods)
    if look.version is None:
        return Progress("", "waiting for the cluster to take note", 0, wanted)
    if ready >= wanted:
        old = number(look.deployment, "status", "replicas") > number(look.deployment, "status", "updatedReplicas")
        next_ = "the old one finishes its requests" if old else "it has to stay so for some seconds"
        return Progress("", f"the new version is ready; {next_}", ready, wanted)
    states = [each.waiting or each.phase.lower() for each in look.pods if not each.ready]
    return Progress("", f"a pod is {states[0]}" if states else "waiting for a pod", ready, wanted)
