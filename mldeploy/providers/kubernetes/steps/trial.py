"""A new version is tried in a pod of its own, beside the one that serves, before anything of it is rolled out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import GoldenRow
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.drift import differences
from mldeploy.providers.kubernetes.errors import KubernetesError, Refusal, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.deployment import CONFIGURATION
from mldeploy.providers.kubernetes.manifests.trial import trial, trial_name
from mldeploy.providers.kubernetes.reading import Document, number, table, texts, uid_of
from mldeploy.providers.kubernetes.running.judge import Judge, about
from mldeploy.providers.kubernetes.running.pods import Pod, pod
from mldeploy.providers.kubernetes.running.verdict import Said, said_of, without_pod
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps.objects import checked, named_removed
from mldeploy.providers.kubernetes.types import EVENT, POD
from mldeploy.providers.kubernetes.watching import Selection, Watch

END_SECONDS = 1
"""What the pod gets to end: nobody's request is under way there."""
MARGIN_SECONDS = 120
"""The pod outlives the wait for it by so much; it ends by itself if whoever waited is gone."""
LOOK_SECONDS = 3600
"""So long at least a pod runs that stays to be looked at."""
OVER = ("Succeeded", "Failed")
BESIDE = "the new version is tried beside the old one"
_PERMISSION = re.compile(r"\bcannot (?:get|create|patch)\b")


def is_needed(wanted: Document, found: Document) -> bool:
    """Whether a version gets traffic, and another one would.

    wanted: the manifest of the Deployment. found: the Deployment as it is.
    """
    serves = number(found, "spec", "replicas") > 0 and number(found, "status", "availableReplicas") > 0
    return serves and not _has_same_pods(wanted, found)


def is_left(kube: Kube, owner: Owner, namespace: str) -> bool:
    """Whether the pod of a trial is there: of one that was killed, or that was to be looked at."""
    found = kube.get(POD, trial_name(owner), namespace)
    return found is not None and owner.owns(found)


def put_away(kube: Kube, owner: Owner, namespace: str, monitor: Monitor) -> bool:
    """Remove the pod of a trial, if there is one of ours; return once it is gone. May be repeated."""
    return named_removed(owner, kube, POD, trial_name(owner), namespace, monitor, grace=END_SECONDS)


@dataclass(frozen=True)
class Trial:
    """Of one version of one app. golden: what it must answer."""

    kube: Kube
    owner: Owner
    namespace: str
    project: Project
    settings: InClusterSettings
    golden: GoldenRow
    monitor: Monitor

    def hold(self, wanted: Document, found: Document) -> None:
        """Return once the version has answered the golden row, and its pod is gone.

        wanted, found: as `is_needed` has them. Raises VerdictError for a version that cannot serve or answers
        otherwise, RefusedError where somebody else has a pod of that name. Whatever comes out, also of a stop, the pod
        goes before it is told; but one that failed stays where the user wants to look at it.
        """
        checked(self.kube, self.owner, POD, self._name, self.namespace, self.monitor)
        stays = False
        try:
            uid = self._start(wanted, found)
            stays = not self.settings.rollback
            self._watch(uid)
        except VerdictError:
            self.monitor.note("Nothing was rolled out: the version before goes on serving.")
            self._tell_how_to_look() if stays else self._put_away()
            raise
        except BaseException:
            self._put_away()
            raise
        self.monitor.progress(Progress("", "the golden row holds; the pod of the trial goes"))
        put_away(self.kube, self.owner, self.namespace, self.monitor.unstopped())
        self.monitor.check()

    @property
    def _name(self) -> str:
        return trial_name(self.owner)

    def _start(self, wanted: Document, found: Document) -> str:
        """The pod's identity."""
        self.monitor.progress(Progress("", BESIDE))
        least = 0 if self.settings.rollback else LOOK_SECONDS
        seconds = max(self.settings.rollout_timeout + MARGIN_SECONDS, least)
        try:
            return uid_of(self.kube.apply(trial(self.owner, wanted, found, seconds)))
        except Refusal as refusal:
            if _is_of_the_pod(refusal):
                raise without_pod(f"pod {self._name}", refusal.said) from refusal
            raise

    def _watch(self, uid: str) -> None:
        """Until the golden row held. Raises VerdictError."""
        only = Selection(POD, self.namespace, (("fieldSelector", f"metadata.name={self._name}"),))
        events = Selection(EVENT, self.namespace)
        judge = Judge(self.kube, self.namespace, self.project, self.monitor)
        seen: tuple[Pod, tuple[Said, ...]] | None = None
        with Watch(self.kube, (only, events)) as watch:
            for waited in watch.rounds(self.monitor, self.settings.rollout_timeout):
                found = next((pod(each) for each in watch.seen(only) if uid_of(each) == uid), None)
                seen = self._alive(found), about(map(said_of, watch.seen(events)), uid)
                judge.judge(*seen, waited)
                if seen[0].ready:
                    judge.ask(self.golden, seen[0])
                    return
                state = seen[0].waiting or seen[0].phase.lower()
                self.monitor.progress(Progress("", f"{BESIDE}: its pod is {state}"))
        if seen is None:
            raise KubernetesError(f"pod {self._name}", "the cluster told nothing of it", "Deploy again.")
        raise judge.verdict(*seen, self.settings.rollout_timeout)

    def _alive(self, found: Pod | None) -> Pod:
        """Raises KubernetesError for a pod that says nothing of the version any more."""
        if found is not None and not found.leaving and found.phase not in OVER:
            return found
        why = f" ({found.reason})" if found and found.reason else ""
        what = f"was taken away while the new version was tried in it{why}"
        raise KubernetesError(f"pod {self._name}", what, "Deploy again; what serves was not changed.")

    def _put_away(self) -> None:
        """After a trial that did not succeed: why it did not must be told, whatever becomes of this."""
        try:
            with kubernetes_errors(f"pod {self._name}"):
                put_away(self.kube, self.owner, self.namespace, self.monitor.unstopped())
        except MldeployError as error:
            text = f"The pod {self._name} is still there ({error.what}): the next `deploy` or `destroy` removes it."
            self.monitor.note(text, warning=True)

    def _tell_how_to_look(self) -> None:
        where = f"-n {self.namespace}"
        self.monitor.note(
            f"The pod {self._name} stays to be looked at, without traffic: `kubectl logs {where} {self._name}`, "
            f"`kubectl describe pod {where} {self._name}`. The next `deploy` or `destroy` removes it."
        )


def _has_same_pods(wanted: Document, found: Document) -> bool:
    """What we say of them is as it was, and nobody else has changed it."""
    digests = [texts(each, "metadata", "annotations").get(CONFIGURATION) for each in (wanted, found)]
    templates = [table(each, "spec", "template") for each in (wanted, found)]
    return digests[0] == digests[1] and not differences(*templates)


def _is_of_the_pod(refusal: Refusal) -> bool:
    """Whether a quota or a rule does not let the pod in, rather than that we may not make any."""
    if "denied the request" in refusal.said:  # the words of an admission webhook, whatever its status
        return True
    ends = "is being terminated" in refusal.said
    return refusal.status == 403 and not ends and not _PERMISSION.search(refusal.said)
