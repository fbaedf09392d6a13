"""Judging the pods of a new version: whether they can serve, and what they answer to the golden row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import AnswerError, AppClient, GoldenRow, Silence, SilentError
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.forward import forwarded
from mldeploy.providers.kubernetes.running import logs
from mldeploy.providers.kubernetes.running.pods import Pod
from mldeploy.providers.kubernetes.running.verdict import Evidence, Said, proves_failure, verdict

PATIENCE_SECONDS = 45.0
"""So long a complaint that may pass by itself is waited out: a cluster that adds nodes says so within that time."""
GRACE_SECONDS = 15.0
"""What the cluster may take to find a pod ready once the app's time to start is over."""
LOG_LINES = 60
ASKED_AGAIN = 2
AGAIN_SECONDS = 0.5


@dataclass
class Judge:
    """Of the pods of one version, from the moment at which they are watched."""

    kube: Kube
    namespace: str
    project: Project
    monitor: Monitor
    _ran: dict[str, float] = field(default_factory=dict)
    """When each pod was first seen running: the cluster's clock need not be this machine's."""

    def judge(self, pod: Pod, told: tuple[Said, ...], waited: float) -> None:
        """Raises VerdictError once it is proven that this pod will not serve.

        told: what was said of it. waited: seconds since the version's pods are watched.
        """
        if proves_failure(pod, told, patient=waited < PATIENCE_SECONDS):
            raise self.verdict(pod, told)
        if pod.running and not pod.ready and not pod.leaving:
            ran = waited - self._ran.setdefault(pod.uid, waited)
            if ran > self.project.check.start_timeout + GRACE_SECONDS:
                raise self.verdict(pod, told, ran)

    def ask(self, golden: GoldenRow, pod: Pod) -> None:
        """The golden row, of this very pod, through the API server. Raises VerdictError if it does not hold."""
        self.monitor.progress(Progress("", f"asking pod {pod.name} the golden row"))
        with forwarded(self.kube, pod.name, self.namespace, self.project.app.port) as url, AppClient(url) as app:
            try:
                self._answered(golden, app)
            except AnswerError as error:
                raise verdict(self.project, Evidence(pod, log=self._log(pod), answer=error)) from error

    def _answered(self, golden: GoldenRow, app: AppClient) -> None:
        """A connection may break on the way through the API server and the node: once is no proof."""
        for _ in range(ASKED_AGAIN):
            try:
                return golden.ask(app)
            except SilentError as error:
                if error.silence is not Silence.CUT:
                    raise
            self.monitor.wait(AGAIN_SECONDS)
        return golden.ask(app)

    def verdict(self, pod: Pod, told: tuple[Said, ...], waited: float = 0.0) -> VerdictError:
        """Why this pod does not serve. waited: seconds that it ran without being ready."""
        return verdict(self.project, Evidence(pod, told, self._log(pod), waited=waited))

    def _log(self, pod: Pod) -> tuple[str, ...]:
        return logs.last_lines(self.kube, self.namespace, pod, LOG_LINES)


def about(said: Iterable[Said], uid: str) -> tuple[Said, ...]:
    """What was said of one object, the oldest first."""
    return tuple(sorted((each for each in said if each.about == uid), key=lambda each: each.at))
