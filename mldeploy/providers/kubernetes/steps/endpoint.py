"""The last step: the app answers at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Never

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.running.causes import About, Diagnosis
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.types import Image
from mldeploy.providers.base import Address
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.cluster import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import uid_of
from mldeploy.providers.kubernetes.running.addresses import external, url_of
from mldeploy.providers.kubernetes.running.verdict import Said, said_of
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.steps.deployment import Deployment, Running
from mldeploy.providers.kubernetes.steps.exposure import HttpRoute, Ingress, Service
from mldeploy.providers.kubernetes.steps.scaling import Autoscaler, DisruptionBudget
from mldeploy.providers.kubernetes.types import EVENT, INGRESS, SERVICE
from mldeploy.providers.kubernetes.watching import Selection, Watch

ASK_EVERY = 0.5
ADDRESS_SECONDS = 300.0
"""A cloud takes a minute or two to set a load balancer up."""
ANSWER_SECONDS = 120.0
"""And a little longer until what it has set up lets everything through."""


@dataclass(frozen=True, eq=False)
class KubernetesEndpoint(Step[HasCluster, Address]):
    """The app answers at its URL, from here, if that is a place that can be reached from here."""

    kind: ClassVar[str] = "kubernetes-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: InClusterSettings
    owner: Owner
    cluster: ClusterStep[Never]
    space: str
    deployment: Deployment
    service: Service
    route: Ingress | HttpRoute | None
    budget: DisruptionBudget
    scaling: Autoscaler | None

    def key(self) -> Key:
        return Key(self.owner.app, (*self.cluster.scope, self.space))

    def probe(self, cloud: HasCluster, outs: Outputs) -> Seen[Address] | None:
        """Asks the health path. What has just begun to serve has not answered before this deployment."""
        kube, running = outs.get(self.cluster), outs.get(self.deployment)
        if kube is None or running is None or running.is_new or outs.get(self.service) is None:
            return None
        with kubernetes_errors(str(self.resource)):
            url = url_of(kube, self.owner, self.space, self.settings)
        if not url:
            return Seen(_address("", running), ("has no address → has one",))
        failure = self._failure(url)
        drift = () if failure is None or self._is_routed else ("does not answer → answers",)
        with kubernetes_errors(str(self.resource)):
            return Seen(_address(url, running, self._remark(kube, failure)), drift)

    def apply(self, cloud: HasCluster, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if there is no address, or nothing answers there although the pods are ready."""
        kube, running = outs[self.cluster], outs[self.deployment]
        with kubernetes_errors(str(self.resource)):
            if self.settings.way is Way.LOAD_BALANCER:
                self._await_address(kube, monitor)
            url = url_of(kube, self.owner, self.space, self.settings)
            failure = self._await_answer(url, monitor)
            if failure is None or self._is_routed:
                return _address(url, running, self._remark(kube, failure))
        todo = (
            "Its pods are ready, so something on the way holds it up: a firewall of the cluster's network or on this "
            "side, or the load balancer, which `kubectl describe service` tells of."
        )
        raise VerdictError(url, Diagnosis(f"does not answer from here: {failure.what}", todo, About.PORT))

    @staticmethod
    def undo(cloud: HasCluster, key: Key, monitor: Monitor) -> bool:
        """The URL goes with what answers there."""
        return False

    @property
    def _is_routed(self) -> bool:
        """A host name of the user's own may lead there only later: the pods' readiness counts."""
        return self.settings.way in (Way.INGRESS, Way.GATEWAY)

    def _await_address(self, kube: Kube, monitor: Monitor) -> None:
        only = Selection(SERVICE, self.space, (("fieldSelector", f"metadata.name={self.owner.app}"),))
        events = Selection(EVENT, self.space)
        told: tuple[Said, ...] = ()
        with Watch(kube, (only, events)) as watch:
            for _ in watch.rounds(monitor, ADDRESS_SECONDS):
                found = next(iter(watch.seen(only)), None)
                if found is not None and external(found):
                    return
                about = uid_of(found) if found else ""
                said = map(said_of, watch.seen(events))
                told = tuple(sorted((each for each in said if each.about == about), key=lambda each: each.at))
                monitor.progress(Progress("", told[-1].message if told else "waiting for an external address"))
        warned = next((each.message for each in reversed(told) if each.warns), "")
        todo = 'A cluster without a cloud has no load balancers: choose ingress = "cluster-ip", or install one.'
        what = f"has no external address after {ADDRESS_SECONDS:.0f} s" + (f": {warned}" if warned else "")
        raise VerdictError(f"service {self.owner.app}", Diagnosis(what, todo, About.PORT))

    def _await_answer(self, url: str, monitor: Monitor) -> AnswerError | None:
        """How the app failed to answer to the end, None once it does."""
        failure: AnswerError | None = None
        if self.settings.way is Way.CLUSTER_IP:
            return None
        for _ in monitor.attempts(every=ASK_EVERY, within=0.1 if self._is_routed else ANSWER_SECONDS):
            monitor.progress(Progress("", f"asking {url}"))
            failure = self._failure(url)
            if failure is None:
                return None
        return failure

    def _failure(self, url: str) -> AnswerError | None:
        if self.settings.way is Way.CLUSTER_IP:
            return None  # only the cluster itself reaches it, and that asks each pod before it sends anybody there
        with AppClient(url) as app:
            try:
                app.health(self.project.app.health)
            except AnswerError as error:
                return error
        return None

    def _remark(self, kube: Kube, failure: AnswerError | None) -> str:
        if self.settings.way is Way.CLUSTER_IP:
            return "answers inside the cluster alone; `mldeploy predict` asks through the API server"
        if failure is None:
            return ""
        found = kube.get(INGRESS, self.owner.app, self.space) if self.settings.way is Way.INGRESS else None
        entrance = external(found) if found else ""
        where = f"; point it at {entrance}" if entrance else ""
        return f"{self.settings.domain} does not lead there yet ({failure.what}){where}"


def _address(url: str, running: Running, remark: str = "") -> Address:
    image = running.image or Image("", "", "", 0, ())
    return Address(url, image, (remark,) if remark else ())
