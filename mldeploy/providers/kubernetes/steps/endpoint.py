"""The last step: the app answers at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.base import SILENT, Address
from mldeploy.providers.kubernetes.api import EVENT, INGRESS, SERVICE, KubeClient
from mldeploy.providers.kubernetes.cloud import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.documents import uid_of
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.running.verdict import PodEvent, parse_event
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings
from mldeploy.providers.kubernetes.steps.deployment import (
    Autoscaler,
    DisruptionBudget,
    KubernetesDeployment,
    RunningDeployment,
)
from mldeploy.providers.kubernetes.steps.exposure import (
    HttpRoute,
    Ingress,
    KubernetesService,
    app_url,
    external_address,
)
from mldeploy.providers.kubernetes.watch import MultiWatch, Selection

POLL_SECONDS = 0.5
ADDRESS_SECONDS = 300.0
"""Clouds take a minute or two to create a load balancer."""
ANSWER_SECONDS = 120.0
"""A new load balancer takes some more time until it forwards traffic."""
SILENT_SECONDS = 15.0
"""An app that has not answered for so long is silent; a busy one is slow."""


@dataclass(frozen=True, eq=False)
class KubernetesEndpoint(Step[HasCluster, Address]):
    """The app answers at its URL, if the URL is reachable from this machine."""

    kind: ClassVar[str] = "kubernetes-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: InClusterSettings
    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    deployment: KubernetesDeployment
    service: KubernetesService
    route: Ingress | HttpRoute | None
    budget: DisruptionBudget
    scaling: Autoscaler | None

    def key(self) -> Key:
        return Key(self.owner.app, (*self.cluster.scope, self.space))

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Address] | None:
        """Check the health path. An app that is new in this deployment counts as absent."""
        kube, running = outs.get(self.cluster), outs.get(self.deployment)
        if kube is None or running is None or running.is_new or outs.get(self.service) is None:
            return None
        with kubernetes_errors(str(self.resource)):
            url = app_url(kube, self.owner, self.space, self.settings)
        if not url:
            return Seen(_address("", running), ("has no address → has one",))
        failure = self._failure(url, HEALTH_SECONDS if self._is_routed else SILENT_SECONDS)
        drift = () if failure is None or self._is_routed else (SILENT,)
        with kubernetes_errors(str(self.resource)):
            return Seen(_address(url, running, self._remark(kube, failure)), drift)

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if there is no address, or nothing answers there although the pods are ready."""
        kube, running = outs[self.cluster], outs[self.deployment]
        with kubernetes_errors(str(self.resource)):
            if self.settings.way is ExposureKind.LOAD_BALANCER:
                self._await_address(kube, monitor)
            url = app_url(kube, self.owner, self.space, self.settings)
            failure = self._await_answer(url, monitor)
            if failure is None or self._is_routed:
                return _address(url, running, self._remark(kube, failure))
        todo = (
            "Its pods are ready. Check the firewalls of the cluster's network and of this machine, and the load "
            "balancer with `kubectl describe service`."
        )
        raise VerdictError(url, FailureDiagnosis(f"does not answer from here: {failure.what}", todo, About.PORT))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """There is nothing to remove."""
        return False

    @property
    def _is_routed(self) -> bool:
        """Whether the user's own host name is used. Its DNS record may follow later: the pods' readiness counts."""
        return self.settings.way in (ExposureKind.INGRESS, ExposureKind.GATEWAY)

    def _await_address(self, kube: KubeClient, monitor: Monitor) -> None:
        only = Selection(SERVICE, self.space, (("fieldSelector", f"metadata.name={self.owner.app}"),))
        events = Selection(EVENT, self.space)
        service_events: tuple[PodEvent, ...] = ()
        with MultiWatch(kube, (only, events)) as watch:
            for _ in watch.rounds(monitor, ADDRESS_SECONDS):
                service = next(iter(watch.seen(only)), None)
                if service is not None and external_address(service):
                    return
                about = uid_of(service) if service else ""
                all_events = map(parse_event, watch.seen(events))
                service_events = tuple(
                    sorted((each for each in all_events if each.about == about), key=lambda each: each.at)
                )
                monitor.progress(
                    Progress("", service_events[-1].message if service_events else "waiting for an external address")
                )
        warned = next((each.message for each in reversed(service_events) if each.warns), "")
        todo = 'A cluster without a cloud has no load balancers. Set ingress = "cluster-ip", or install one.'
        what = f"has no external address after {ADDRESS_SECONDS:.0f} s" + (f": {warned}" if warned else "")
        raise VerdictError(f"service {self.owner.app}", FailureDiagnosis(what, todo, About.PORT))

    def _await_answer(self, url: str, monitor: Monitor) -> AnswerError | None:
        """Wait for an answer, and return the last failure, None once the app answers."""
        failure: AnswerError | None = None
        if self.settings.way is ExposureKind.CLUSTER_IP:
            return None
        for _ in monitor.attempts(every=POLL_SECONDS, within=0.1 if self._is_routed else ANSWER_SECONDS):
            monitor.progress(Progress("", f"checking {url}"))
            failure = self._failure(url)
            if failure is None:
                return None
        return failure

    def _failure(self, url: str, within: float = HEALTH_SECONDS) -> AnswerError | None:
        if self.settings.way is ExposureKind.CLUSTER_IP:
            return None  # reachable only in the cluster, whose readiness probes check each pod
        with AppClient(url) as app:
            try:
                app.health(self.project.app.health, within=within)
            except AnswerError as error:
                return error
        return None

    def _remark(self, kube: KubeClient, failure: AnswerError | None) -> str:
        if self.settings.way is ExposureKind.CLUSTER_IP:
            return "reachable only inside the cluster; `mldeploy predict` uses the API server"
        if failure is None:
            return ""
        ingress = kube.get(INGRESS, self.owner.app, self.space) if self.settings.way is ExposureKind.INGRESS else None
        address = external_address(ingress) if ingress else ""
        where = f"; point it at {address}" if address else ""
        return f"{self.settings.domain} does not point there yet ({failure.what}){where}"


def _address(url: str, running: RunningDeployment, remark: str = "") -> Address:
    image = running.image or Image("", "", "", 0, ())
    return Address(url, image, (remark,) if remark else ())
