"""The Deployment: it keeps the pods running, and brings a new version in beside the old one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError, RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import GoldenRow
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.types import Image
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.drift import differences
from mldeploy.providers.kubernetes.errors import Refusal, conflicts_of, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.deployment import Workload, deployment
from mldeploy.providers.kubernetes.reading import Document, number
from mldeploy.providers.kubernetes.running import history
from mldeploy.providers.kubernetes.running.history import Version, is_settled, mark, restated
from mldeploy.providers.kubernetes.running.rollout import Place, Rollout
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps import trial
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret, prune
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.objects import checked, living, named_removed
from mldeploy.providers.kubernetes.steps.pulling import PullSecret
from mldeploy.providers.kubernetes.types import DEPLOYMENT

ATTEMPTS = 5
BACK_SECONDS = 120.0
"""What the way back to a version that served a moment ago may take."""


@dataclass(frozen=True)
class Running:
    """A Deployment as the server has it. image: None while it is not known. is_new: nothing ran before."""

    document: Document
    image: Image | None
    is_new: bool = False


@dataclass(frozen=True, eq=False)
class Deployment(Step[HasCluster, Running]):
    """So many pods of this image and this configuration run, ready, and none of an old one."""

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

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Running] | None:
        kube = outs.get(self.cluster)
        if kube is None:
            return None
        with kubernetes_errors(str(self.resource)):
            found = living(kube.get(DEPLOYMENT, self.owner.app, self.space))
            left = found is not None and trial.is_left(kube, self.owner, self.space)
        if found is None:
            return None
        image, wanted = outs.get(self.image), self._manifest(outs, found)
        drift = ("image → the one to be built",) if wanted is None else differences(wanted, found)
        if not drift and not is_settled(found):
            drift = ("rollout → finished",)
        if left:
            drift = (*drift, "pod of a trial → gone")
        return Seen(Running(found, image), drift, ours=self.owner.owns(found))

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Running] | None, monitor: Monitor) -> Running:
        """Raises VerdictError if the new version cannot serve: the old one goes on, and is gone back to.

        Where there is a golden row, and an old version serves, a new one is tried first, and nothing of it is rolled
        out unless the row holds.
        """
        self._check_platform(outs[self.image])
        golden = GoldenRow.load(self.project.check.golden) if self.project.check.golden else None
        with kubernetes_errors(str(self.resource)):
            kube = outs[self.cluster]
            tried = self._try(kube, outs, golden, monitor)
            sent = self._sent(kube, outs, monitor)
            try:
                version = self._rollout(kube, sent, monitor, None if tried else golden).watch()
            except VerdictError:
                self._fail(kube, monitor)
                raise
            mark(kube, version, self.space, failed=False)
            self._prune(kube, sent)
            monitor.progress(Progress("", f"{self.owner.app} runs revision {version.number}"))
            return Running(sent, outs[self.image], is_new=seen is None)

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """Stops every pod, that of a trial among them, and returns once they are gone."""
        kube, space = cloud.kube(key.scope[:-1]), key.scope[-1]
        if kube is None:
            return False
        monitor.progress(Progress("", "waiting until its pods have stopped"))
        with kubernetes_errors(f"{DEPLOYMENT.kind} {key}"):
            was_tried = trial.put_away(kube, cloud.owner, space, monitor)
            return named_removed(cloud.owner, kube, DEPLOYMENT, key.name, space, monitor) or was_tried

    def _try(self, kube: Kube, outs: Outputs, golden: GoldenRow | None, monitor: Monitor) -> bool:
        """Whether the version has answered the golden row before it gets any traffic. Raises VerdictError if it cannot.

        False: there is no row, or nothing gets traffic yet, or nothing else would. The first pod is asked then.
        """
        found = checked(kube, self.owner, DEPLOYMENT, self.owner.app, self.space, monitor)
        if found is None:
            return False
        trial.put_away(kube, self.owner, self.space, monitor)
        wanted = self._wanted(outs, found)
        if golden is None or not trial.is_needed(wanted, found):
            return False
        held = trial.Trial(kube, self.owner, self.space, self.project, self.settings, golden, monitor)
        held.hold(wanted, found)
        return True

    def _sent(self, kube: Kube, outs: Outputs, monitor: Monitor) -> Document:
        """An autoscaler may change the number of pods between our look and our order: then it is looked at again."""
        for attempt in range(ATTEMPTS):
            found = checked(kube, self.owner, DEPLOYMENT, self.owner.app, self.space, monitor)
            try:
                return kube.apply(self._wanted(outs, found))
            except Refusal as refusal:
                if not _is_about_scale(refusal) or self.settings.max is None or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _wanted(self, outs: Outputs, found: Document | None) -> Document:
        wanted = self._manifest(outs, found)
        if wanted is None:
            raise RefusedError(str(self.resource), "its image is gone", "Deploy again.")
        return wanted

    def _manifest(self, outs: Outputs, found: Document | None) -> Document | None:
        """None while the image, or who may pull it, is not known yet."""
        image, pull = outs.get(self.image), outs.get(self.pull) if self.pull else ""
        if image is None or pull is None:
            return None
        secrets = (self.secret.name(),) if self.secret else ()
        replicas = self.settings.count(number(found, "spec", "replicas"))
        work = Workload(image.reference, replicas, (self.config.name(),), secrets, pull)
        return deployment(self.owner, self.space, self.project, self.settings, work)

    def _rollout(self, kube: Kube, sent: Document, monitor: Monitor, golden: GoldenRow | None) -> Rollout:
        generation, limit = number(sent, "metadata", "generation"), self.settings.rollout_timeout
        return Rollout(Place(kube, self.owner, self.space), self.project, monitor, generation, limit, golden)

    def _fail(self, kube: Kube, monitor: Monitor) -> None:
        """Note that the version cannot serve, and go back to the last one that could, if there is one."""
        found = kube.get(DEPLOYMENT, self.owner.app, self.space)
        if found is None:
            return
        known = history.of(kube, self.owner, self.space, found)
        failed = history.current(known, found)
        if failed is None:
            return
        mark(kube, failed, self.space, failed=True)
        good = last_good(known, failed)
        if good is None or not self.settings.rollback:
            return
        try:
            back(kube, self.owner, self.project, found, good, monitor, BACK_SECONDS)
        except MldeployError as error:
            monitor.note(f"going back to revision {good.number} did not succeed: {error.what}", warning=True)
        else:
            monitor.note(f"Went back to the version before (revision {good.number} until now).")

    def _prune(self, kube: Kube, sent: Document) -> None:
        """Configurations of versions that nobody can go back to any more."""
        known = history.of(kube, self.owner, self.space, sent)
        used = {self.config.name(), *((self.secret.name(),) if self.secret else ())}
        prune(kube, self.owner, self.space, used.union(*(each.environment for each in known)))

    def _check_platform(self, image: Image) -> None:
        """An image for another processor would be pulled, and end with `exec format error`."""
        if image.platform != self.project.build.platform:
            what = f"is for {image.platform}, and the pods would run on {self.project.build.platform}"
            raise RefusedError(image.reference, what, "Set `platform` in [build], or correct FROM in the Dockerfile.")


def last_good(known: tuple[Version, ...], but: Version) -> Version | None:
    """The newest version that could serve, besides one."""
    return next((each for each in known if not each.failed and each.number < but.number), None)


def back(
    kube: Kube, owner: Owner, project: Project, found: Document, to: Version, monitor: Monitor, limit: float
) -> Version:
    """Roll an earlier version out. Raises VerdictError if it cannot serve."""
    replicas = number(found, "spec", "replicas") or 1
    sent = kube.apply(restated(owner, found, replicas=replicas, version=to))
    namespace, generation = str(sent["metadata"]["namespace"]), number(sent, "metadata", "generation")  # type: ignore[index]
    return Rollout(Place(kube, owner, namespace), project, monitor, generation, limit).watch()


def _is_about_scale(refusal: Refusal) -> bool:
    return any(each.startswith(".spec.replicas") for each in conflicts_of(refusal))
