"""A canary in a cluster: a second Deployment, and how the requests are divided between it and the serving one.

Everything that is known of it is in the cluster: the Deployment, and the weights of the HTTPRoute or the selector of
the Service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Release
from mldeploy.providers.errors import AbsentError, nothing_serves, without_candidate
from mldeploy.providers.kubernetes.api import DEPLOYMENT, HTTP_ROUTE, POD, SERVICE, KubeClient
from mldeploy.providers.kubernetes.documents import Document, number, rows, text
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.forward import forward_port
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests import canary as manifests
from mldeploy.providers.kubernetes.manifests.canary import WHOLE, canary_name
from mldeploy.providers.kubernetes.manifests.render import http_route_manifest, service_manifest
from mldeploy.providers.kubernetes.running import history
from mldeploy.providers.kubernetes.running.history import annotate_state, applied_metadata, build_update
from mldeploy.providers.kubernetes.running.pods import parse_pods
from mldeploy.providers.kubernetes.running.rollout import DeploymentRef, DeploymentRollout
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings
from mldeploy.providers.kubernetes.steps.deployment import last_good_revision, roll_back
from mldeploy.providers.kubernetes.steps.exposure import app_url, await_acceptance
from mldeploy.providers.kubernetes.steps.namespace import delete_by_name
from mldeploy.providers.traffic import TrafficSplit


@dataclass(frozen=True)
class DeploymentPair:
    """The Deployments of the serving version and of a canary that has passed its examination."""

    stable: Document
    canary: Document


@dataclass(frozen=True)
class InClusterTraffic:
    """`mldeploy.providers.traffic.Traffic`. connect: returns a client; raises AbsentError if there is no cluster."""

    connect: Callable[[], KubeClient]
    project: Project
    settings: InClusterSettings
    owner: Owner

    @property
    def space(self) -> str:
        return self.settings.space(self.owner.app)

    def split(self) -> TrafficSplit | None:
        with self._errors():
            try:
                kube = self.connect()
            except AbsentError:
                return None
            pair = self._find_pair(kube)
            return self._split(kube, pair) if pair else None

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        """Scale the canary to its share first. Raises VerdictError if its pods do not start."""
        with self._errors():
            kube = self.connect()
            pair = self._require_pair(kube)
            serving = number(pair.stable, "spec", "replicas")
            if self._is_weighted:
                self._scale(kube, pair.canary, max(1, -(-serving * percent // WHOLE)), monitor)
                self._send_route(kube, percent, monitor)
            else:
                self._scale(kube, pair.canary, manifests.nearest_replicas(serving, percent), monitor)
                self._send_service(kube, shared=True)
            return self._split(kube, self._require_pair(kube))

    def promote(self, monitor: Monitor) -> Address:
        """Roll the canary's version out as the serving one, while the canary answers; then remove the canary.

        Raises VerdictError if the rollout fails: then it is rolled back, and the canary stays.
        """
        with self._errors():
            kube = self.connect()
            pair = self._require_pair(kube)
            if self._is_weighted:
                self._scale(kube, pair.canary, max(1, number(pair.stable, "spec", "replicas")), monitor)
                self._send_route(kube, WHOLE, monitor)
            self._roll_out(kube, pair, monitor)
            self._remove(kube, monitor)
            image = _image_of(pair.canary)
            url = app_url(kube, self.owner, self.space, self.settings)
        return Address(url, Image(image, image.partition("@")[2], "", 0, ()), gap_seconds=0.0)

    def abort(self, monitor: Monitor) -> bool:
        with self._errors():
            try:
                kube = self.connect()
            except AbsentError:
                return False
            return self._remove(kube, monitor)

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        """Forward a local port to a pod of the version, through the API server."""
        with self._errors():
            kube = self.connect()
            pair = self._find_pair(kube)
            stable = pair.stable if pair else kube.get(DEPLOYMENT, self.owner.app, self.space)
            labels = None
            if stable and revision == str(history.revision_number(stable)):
                labels = self.owner.selector
            elif pair and revision == candidate_release(pair.stable, pair.canary).revision:
                labels = self.owner.canary
            pods = parse_pods(kube.select(POD, self.space, labels)) if labels else ()
            ready = next((each for each in pods if each.ready and not each.leaving), None)
            if ready is None:
                raise AbsentError(self.owner.app, f"no pod of revision {revision} is ready", "See `mldeploy history`.")
            with forward_port(kube, ready.name, self.space, self.project.app.port) as url:
                yield url

    @property
    def _is_weighted(self) -> bool:
        return self.settings.way is ExposureKind.GATEWAY

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with kubernetes_errors(f"{self.owner.app}, namespace {self.space}"):
            yield

    def _find_pair(self, kube: KubeClient) -> DeploymentPair | None:
        canary = kube.get(DEPLOYMENT, canary_name(self.owner), self.space)
        if canary is None or not self.owner.owns(canary) or not manifests.is_examined(canary):
            return None
        stable = kube.get(DEPLOYMENT, self.owner.app, self.space)
        if stable is None:
            raise nothing_serves(self.owner.app)
        return DeploymentPair(stable, canary)

    def _require_pair(self, kube: KubeClient) -> DeploymentPair:
        pair = self._find_pair(kube)
        if pair is None:
            raise without_candidate(self.owner.app)
        return pair

    def _split(self, kube: KubeClient, pair: DeploymentPair) -> TrafficSplit:
        stable, candidate = stable_release(pair.stable), candidate_release(pair.stable, pair.canary)
        if self._is_weighted:
            route = kube.get(HTTP_ROUTE, self.owner.app, self.space)
            return TrafficSplit(stable, candidate, float(manifests.canary_percent(self.owner, route)) if route else 0.0)
        service = kube.get(SERVICE, self.owner.app, self.space)
        if service is None or not manifests.selects_canary(self.owner, service):
            return TrafficSplit(stable, candidate, 0.0)
        serving, mine = (number(each, "status", "availableReplicas") for each in (pair.stable, pair.canary))
        total = serving + mine
        return TrafficSplit(stable, candidate, WHOLE * mine / total if total else 0.0, f"{mine} of {total} pods")

    def _scale(self, kube: KubeClient, canary: Document, replicas: int, monitor: Monitor) -> None:
        """Run so many pods of the canary, and return once they are ready."""
        monitor.progress(Progress("", f"scaling the canary to {replicas}"))
        manifest = build_update(self.owner, canary, replicas=replicas)
        self._watch(DeploymentRef(kube, self.owner, self.space, is_canary=True), kube.apply(manifest), monitor)

    def _watch(self, target: DeploymentRef, sent: Document, monitor: Monitor) -> history.ReplicaSetRevision:
        generation, limit = number(sent, "metadata", "generation"), self.settings.rollout_timeout
        patience = self.settings.patience
        return DeploymentRollout(target, self.project, monitor, generation, limit, patience=patience).watch()

    def _send_route(self, kube: KubeClient, percent: int, monitor: Monitor) -> None:
        """Let the Gateway send the canary its share; 0 removes it from the route."""
        route = http_route_manifest(self.owner, self.space, self.settings)
        made = kube.apply(manifests.route_share(self.owner, route, percent) if percent else route)
        await_acceptance(kube, self.settings, made, monitor)

    def _send_service(self, kube: KubeClient, *, shared: bool) -> None:
        """Let the Service select the pods of both versions, or of the serving one alone."""
        made = service_manifest(self.owner, self.space, self.settings, sticky=self.project.app.keeps_sessions)
        kube.apply(manifests.select_pods(made, self.owner.both) if shared else made)

    def _roll_out(self, kube: KubeClient, pair: DeploymentPair, monitor: Monitor) -> None:
        """Give the serving Deployment the canary's pods."""
        monitor.progress(Progress("", "rolling out the canary's version"))
        notes = {
            key: value for key, value in applied_metadata(pair.canary, "annotations").items() if key != manifests.READY
        }
        target = DeploymentRef(kube, self.owner, self.space)
        sent = kube.apply(manifests.promoted_manifest(self.owner, pair.stable, pair.canary, notes))
        try:
            version = self._watch(target, sent, monitor)
        except VerdictError:
            self._roll_back(target, monitor)
            raise
        annotate_state(kube, version, self.space, failed=False)

    def _roll_back(self, target: DeploymentRef, monitor: Monitor) -> None:
        kube = target.kube
        current = kube.get(DEPLOYMENT, self.owner.app, self.space)
        known = history.list_revisions(kube, self.owner, self.space, current) if current else ()
        failed = history.current_revision(known, current) if current else None
        good = last_good_revision(known, failed) if failed else None
        if current and failed and good:
            annotate_state(kube, failed, self.space, failed=True)
            limit = self.settings.rollout_timeout
            roll_back(target, self.project, current, good, monitor, limit, self.settings.patience)

    def _remove(self, kube: KubeClient, monitor: Monitor) -> bool:
        """Send all requests to the serving version, then delete the canary. The Deployment, which shows it, is last."""
        name = canary_name(self.owner)
        if self._is_weighted:
            route = kube.get(HTTP_ROUTE, self.owner.app, self.space)
            if route is not None and manifests.canary_percent(self.owner, route):
                self._send_route(kube, 0, monitor)
        else:
            service = kube.get(SERVICE, self.owner.app, self.space)
            if service is not None and manifests.selects_canary(self.owner, service):
                self._send_service(kube, shared=False)
        monitor.progress(Progress("", "the canary finishes its requests"))
        had_service = delete_by_name(self.owner, kube, SERVICE, name, self.space, monitor)
        return delete_by_name(self.owner, kube, DEPLOYMENT, name, self.space, monitor) or had_service


def stable_release(stable: Document) -> Release:
    """Return the serving version as `history` lists it."""
    created = text(stable, "metadata", "creationTimestamp")
    return Release(str(history.revision_number(stable)), _image_of(stable), created, "serving")


def candidate_release(stable: Document, canary: Document) -> Release:
    """Return the canary as `history` will list it: with the revision that a promotion gives it."""
    created = text(canary, "metadata", "creationTimestamp")
    return Release(str(history.revision_number(stable) + 1), _image_of(canary), created, "candidate")


def _image_of(deployment: Document) -> str:
    return next((text(each, "image") for each in rows(deployment, "spec", "template", "spec", "containers")), "")
