"""Watching a rollout until the new version serves, or until it is proven that it will not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import GoldenRow
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.api import Kube, selecting
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, condition, number, text
from mldeploy.providers.kubernetes.running.history import Version, current, is_settled, versions
from mldeploy.providers.kubernetes.running.judge import PATIENCE_SECONDS, Judge, about
from mldeploy.providers.kubernetes.running.pods import Pod, pods
from mldeploy.providers.kubernetes.running.verdict import Said, is_final, said_of, without_pod
from mldeploy.providers.kubernetes.types import DEPLOYMENT, EVENT, POD, REPLICA_SET
from mldeploy.providers.kubernetes.watching import Selection, Watch

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

    @property
    def is_done(self) -> bool:
        return self.version is not None and is_settled(self.deployment)


@dataclass
class Rollout:
    """One rollout of one app's Deployment. generation: that of the Deployment as it was sent. limit: seconds.

    golden: what the first pod that is ready must answer; None for a version that has answered it, or need not.
    """

    place: Place
    project: Project
    monitor: Monitor
    generation: int
    limit: float
    golden: GoldenRow | None = None

    def watch(self) -> Version:
        """Return the version that serves, once all pods are its own.

        Raises VerdictError at the first proven cause; the old pods go on serving.
        """
        place, asked, last = self.place, self.golden is None, None
        with Watch(place.kube, (place.deployment, place.replica_sets, place.pods, place.events)) as watch:
            for waited in watch.rounds(self.monitor, self.limit):
                last = self._look(watch)
                self._judge_all(last, waited)
                ready = next((each for each in last.pods if each.ready and not each.leaving), None)
                if self.golden is not None and not asked and ready is not None:
                    self._judge.ask(self.golden, ready)
                    asked = True
                self.monitor.progress(_told(last))
                if last.is_done and last.version is not None and asked:
                    return last.version
        raise self._too_late(last)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.place.kube, self.place.namespace, self.project, self.monitor)

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

    def _judge_all(self, look: Look, waited: float) -> None:
        for pod in look.pods:
            self._judge.judge(pod, about(look.said, pod.uid), waited)
        if look.version and look.version.refused and (waited >= PATIENCE_SECONDS or is_final(look.version.refused)):
            raise without_pod(f"{self.place.owner.app}, revision {look.version.number}", look.version.refused)
        if look.version and text(condition(look.deployment, "Progressing"), "reason") == LATE and not look.is_done:
            raise self._too_late(look)

    def _too_late(self, look: Look | None) -> VerdictError:
        pod = next((each for each in look.pods if not each.ready), None) if look else None
        if look and pod is not None:
            return self._judge.verdict(pod, about(look.said, pod.uid), self.limit)
        said = text(condition(look.deployment, "Progressing"), "message") if look else ""
        return without_pod(self.place.owner.app, said or f"the cluster did not finish within {self.limit:.0f} s")


def _told(look: Look) -> Progress:
    wanted = number(look.deployment, "spec", "replicas")
    ready = sum(each.ready and not each.leaving for each in look.pods)
    if look.version is None:
        return Progress("", "waiting for the cluster to take note", 0, wanted)
    if ready >= wanted:
        old = number(look.deployment, "status", "replicas") > number(look.deployment, "status", "updatedReplicas")
        next_ = "the old one finishes its requests" if old else "the cluster takes note of it"
        return Progress("", f"the new version is ready; {next_}", ready, wanted)
    states = [each.waiting or each.phase.lower() for each in look.pods if not each.ready]
    return Progress("", f"a pod is {states[0]}" if states else "waiting for a pod", ready, wanted)
