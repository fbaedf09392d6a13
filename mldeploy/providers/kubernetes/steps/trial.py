"""Trials: a new version runs in a separate pod, without traffic, before it is rolled out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.kubernetes.api import DEPLOYMENT, EVENT, POD, KubeClient
from mldeploy.providers.kubernetes.documents import Document, compare_manifest, number, table, texts, uid_of
from mldeploy.providers.kubernetes.errors import ApiStatusError, KubernetesError, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.workload import CONFIGURATION, trial_pod_manifest, trial_pod_name
from mldeploy.providers.kubernetes.running.pods import Pod, parse_pod
from mldeploy.providers.kubernetes.running.rollout import RolloutJudge, events_about
from mldeploy.providers.kubernetes.running.verdict import PodEvent, parse_event, verdict_without_pod
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.steps.namespace import delete_by_name, require_owned
from mldeploy.providers.kubernetes.watch import MultiWatch, Selection

END_SECONDS = 1
"""The grace period of the trial pod, which has no traffic."""
MARGIN_SECONDS = 120
"""The pod's deadline after the trial's timeout. It ends by itself if mldeploy was killed."""
LOOK_SECONDS = 3600
"""The minimum runtime of a pod that stays for inspection."""
FINISHED_PHASES = ("Succeeded", "Failed")
TRIAL_PROGRESS = "trying the new version beside the old one"
_PERMISSION = re.compile(r"\bcannot (?:get|create|patch)\b")


def needs_trial(desired: Document, current: Document) -> bool:
    """Whether a version serves, and the rollout would change its pods.

    desired: the manifest of the Deployment. current: the Deployment on the server.
    """
    serves = number(current, "spec", "replicas") > 0 and number(current, "status", "availableReplicas") > 0
    return serves and not _has_same_pods(desired, current)


def has_trial_pod(kube: KubeClient, owner: Owner, namespace: str) -> bool:
    """Whether there is a trial pod, left by a killed command or for inspection."""
    document = kube.get(POD, trial_pod_name(owner), namespace)
    return document is not None and owner.owns(document)


def delete_trial_pod(kube: KubeClient, owner: Owner, namespace: str, monitor: Monitor) -> bool:
    """Delete the trial pod, if mldeploy owns one; return once it is deleted. May be repeated."""
    return delete_by_name(owner, kube, POD, trial_pod_name(owner), namespace, monitor, grace=END_SECONDS)


@dataclass(frozen=True)
class TrialPod:
    """A trial of one version of one app. golden: the row that it must answer."""

    kube: KubeClient
    owner: Owner
    namespace: str
    project: Project
    settings: InClusterSettings
    golden: GoldenRow
    monitor: Monitor

    def run(self, desired: Document, current: Document) -> None:
        """Return once the version has answered the golden row, and its pod is deleted.

        desired, current: as in `needs_trial`. Raises VerdictError for a version that cannot serve or answers wrongly,
        RefusedError if mldeploy does not own the pod with that name. The pod is deleted before any exception leaves;
        with `rollback = false` a failed one stays for inspection.
        """
        require_owned(self.kube, self.owner, POD, self._name, self.namespace, self.monitor)
        stays = False
        try:
            uid = self._start(desired, current)
            stays = not self.settings.rollback
            self._watch(uid)
        except VerdictError:
            self._note_previous_version()
            self._note_inspection() if stays else self._delete_pod()
            raise
        except BaseException:
            self._delete_pod()
            raise
        self.monitor.progress(Progress("", "the golden row passed; deleting the trial pod"))
        delete_trial_pod(self.kube, self.owner, self.namespace, self.monitor.unstopped())
        self.monitor.check()

    @property
    def _name(self) -> str:
        return trial_pod_name(self.owner)

    def _start(self, desired: Document, current: Document) -> str:
        """Create the pod, and return its uid."""
        self.monitor.progress(Progress("", TRIAL_PROGRESS))
        least = 0 if self.settings.rollback else LOOK_SECONDS
        seconds = max(self.settings.rollout_timeout + MARGIN_SECONDS, least)
        try:
            return uid_of(self.kube.apply(trial_pod_manifest(self.owner, desired, current, seconds)))
        except ApiStatusError as refusal:
            if _is_pod_rejected(refusal):
                raise verdict_without_pod(f"pod {self._name}", refusal.message) from refusal
            raise

    def _watch(self, uid: str) -> None:
        """Wait until the golden row has passed. Raises VerdictError."""
        only = Selection(POD, self.namespace, (("fieldSelector", f"metadata.name={self._name}"),))
        events = Selection(EVENT, self.namespace)
        judge = RolloutJudge(self.kube, self.namespace, self.project, self.monitor, self.settings.patience)
        seen: tuple[Pod, tuple[PodEvent, ...]] | None = None
        with MultiWatch(self.kube, (only, events)) as watch:
            for waited in watch.rounds(self.monitor, self.settings.rollout_timeout):
                trial_pod = next((parse_pod(each) for each in watch.seen(only) if uid_of(each) == uid), None)
                seen = self._require_running(trial_pod), events_about(map(parse_event, watch.seen(events)), uid)
                judge.judge(*seen, waited)
                if seen[0].ready:
                    judge.check_golden(self.golden, seen[0])
                    return
                state = seen[0].waiting or seen[0].phase.lower()
                self.monitor.progress(Progress("", f"{TRIAL_PROGRESS}: its pod is {state}"))
        if seen is None:
            raise KubernetesError(f"pod {self._name}", "the cluster did not report its state", "Deploy again.")
        raise judge.verdict(*seen, self.settings.rollout_timeout)

    def _require_running(self, trial_pod: Pod | None) -> Pod:
        """Return the pod. Raises KubernetesError if it was deleted or has finished."""
        if trial_pod is not None and not trial_pod.leaving and trial_pod.phase not in FINISHED_PHASES:
            return trial_pod
        why = f" ({trial_pod.reason})" if trial_pod and trial_pod.reason else ""
        what = f"was deleted during the trial{why}"
        raise KubernetesError(f"pod {self._name}", what, "Deploy again. The serving version was not changed.")

    def _delete_pod(self) -> None:
        """Delete the pod after a failed trial. Failures become notes: the trial's error must be reported."""
        try:
            with kubernetes_errors(f"pod {self._name}"):
                delete_trial_pod(self.kube, self.owner, self.namespace, self.monitor.unstopped())
        except MldeployError as error:
            text = f"The pod {self._name} still exists ({error.what}). The next `deploy` or `destroy` deletes it."
            self.monitor.note(text, warning=True)

    def _note_previous_version(self) -> None:
        """Report whether pods of the previous version, which was not changed, serve now."""
        name, namespace = self.owner.app, self.namespace
        try:
            with kubernetes_errors(f"deployment {name}"):
                current = self.kube.get(DEPLOYMENT, name, namespace)
        except MldeployError as error:
            self.monitor.note(f"Nothing was rolled out. Whether the previous version serves is unknown: {error.what}")
            return
        if number(current, "status", "availableReplicas") > 0:
            self.monitor.note("Nothing was rolled out: the previous version still serves.")
        else:
            text = "Nothing was rolled out, but no pod of the previous version is available either."
            self.monitor.note(f"{text} See `kubectl get pods -n {namespace}`.", warning=True)

    def _note_inspection(self) -> None:
        where = f"-n {self.namespace}"
        self.monitor.note(
            f"The pod {self._name} stays for inspection, without traffic: `kubectl logs {where} {self._name}`, "
            f"`kubectl describe pod {where} {self._name}`. The next `deploy` or `destroy` deletes it."
        )


def _has_same_pods(desired: Document, current: Document) -> bool:
    """Whether the pod template is unchanged, on both sides."""
    digests = [texts(each, "metadata", "annotations").get(CONFIGURATION) for each in (desired, current)]
    templates = [table(each, "spec", "template") for each in (desired, current)]
    return digests[0] == digests[1] and not compare_manifest(*templates)


def _is_pod_rejected(refusal: ApiStatusError) -> bool:
    """Whether a quota or a policy rejects the pod, rather than a missing permission."""
    if "denied the request" in refusal.message:  # from an admission webhook, with any status
        return True
    ends = "is being terminated" in refusal.message
    return refusal.status == 403 and not ends and not _PERMISSION.search(refusal.message)
