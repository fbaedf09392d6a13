"""Operations on a deployed app in a cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.capabilities import Streams
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.kubernetes.api import AUTOSCALER, DEPLOYMENT, POD, KubeClient
from mldeploy.providers.kubernetes.documents import Document, number
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.forward import execute_command, forward_port
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.canary import canary_name, is_examined
from mldeploy.providers.kubernetes.running import history
from mldeploy.providers.kubernetes.running.history import ReplicaSetRevision, build_update, revision_number
from mldeploy.providers.kubernetes.running.logs import PodLogs
from mldeploy.providers.kubernetes.running.pods import Pod, parse_pods
from mldeploy.providers.kubernetes.running.rollout import DeploymentRef, DeploymentRollout
from mldeploy.providers.kubernetes.running.traffic import candidate_release
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings
from mldeploy.providers.kubernetes.steps.deployment import roll_back
from mldeploy.providers.kubernetes.steps.exposure import app_url
from mldeploy.providers.kubernetes.watch import MultiWatch
from mldeploy.providers.releases import choose_release

STOP_SECONDS = 120.0


@dataclass(frozen=True)
class InClusterService:
    """Operates the app's Deployment. Nothing is cached between calls.

    connect: returns a client for the cluster. Raises AbsentError if there is no cluster.
    """

    connect: Callable[[], KubeClient]
    project: Project
    settings: InClusterSettings
    owner: Owner

    @property
    def space(self) -> str:
        return self.settings.space(self.owner.app)

    def instances(self) -> tuple[Instance, ...]:
        with self._connection() as kube:
            url = app_url(kube, self.owner, self.space, self.settings)
            canary = parse_pods(kube.select(POD, self.space, self.owner.canary))
            return (
                *(_instance(each, url) for each in self._pods(kube)),
                *(_instance(each, "") for each in canary),
            )

    def url(self) -> str | None:
        with self._connection() as kube:
            deployment = self._get_deployment(kube)
            runs = deployment is not None and number(deployment, "spec", "replicas") > 0
            return (app_url(kube, self.owner, self.space, self.settings) or None) if runs else None

    @contextmanager
    def reach(self) -> Iterator[str]:
        """`mldeploy.providers.capabilities.CanForward`: forward a local port to a pod if there is no public address.

        A host name that does not resolve yet is no public address. Raises AbsentError if no pod is ready.
        """
        if self.settings.way is not ExposureKind.CLUSTER_IP and _resolves(self.settings.domain):
            url = self.url()
            if url is None:
                raise self._absent_error()
            yield url
            return
        with self._connection() as kube:
            ready = self._require_ready_pod(kube)
            with forward_port(kube, ready.name, self.space, self.project.app.port) as url:
                yield url

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Yield the log lines of all pods. Raises AbsentError if nothing is deployed."""
        with self._connection() as kube:
            self._require_deployment(kube)
            yield from PodLogs(kube, self.owner, self.space).lines(follow=follow, tail=tail)

    def stop(self) -> bool:
        """Scale the Deployment to zero pods."""
        with self._connection() as kube:
            deployment = self._get_deployment(kube)
            if deployment is None or not number(deployment, "spec", "replicas"):
                return False
            kube.apply(build_update(self.owner, deployment, replicas=0))
            if canary := self._get_canary(kube):
                kube.apply(build_update(self.owner, canary, replicas=0))
            target = DeploymentRef(kube, self.owner, self.space)
            with MultiWatch(kube, (target.pods,)) as watch:
                for _ in watch.rounds(_silent_monitor(self.owner.app), STOP_SECONDS):
                    if not watch.seen(target.pods):
                        break
            return True

    def releases(self) -> tuple[Release, ...]:
        """Return the revisions in the Deployment's history."""
        with self._connection() as kube:
            deployment = self._get_deployment(kube)
            if deployment is None:
                return ()
            url = app_url(kube, self.owner, self.space, self.settings)
            known = history.list_revisions(kube, self.owner, self.space, deployment)
            serving = next((each for each in known if each.available), None)
            canary = self._get_canary(kube)
            candidate = (candidate_release(deployment, canary),) if canary else ()
            return candidate + tuple(_release(each, serving, url) for each in known)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Roll back to an earlier revision. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with self._connection() as kube:
            deployment = self._require_deployment(kube)
            known = history.list_revisions(kube, self.owner, self.space, deployment)
            to = _choose_revision(self.owner.app, known, deployment, revision)
            target, limit = DeploymentRef(kube, self.owner, self.space), self.settings.rollout_timeout
            roll_back(target, self.project, deployment, to, monitor, limit, self.settings.patience)
            url = app_url(kube, self.owner, self.space, self.settings)
            return Address(url, Image(to.image, to.image.partition("@")[2], "", 0, ()))

    def scale(self, count: int, monitor: Monitor) -> None:
        """Scale to `count` pods, and return once they serve. Raises VerdictError if they cannot."""
        with self._connection() as kube:
            deployment = self._require_deployment(kube)
            if kube.get(AUTOSCALER, self.owner.app, self.space) is not None:
                todo = f"Change `min` and `max` in [{self.settings.table}], and deploy."
                raise RefusedError(self.owner.app, "autoscaling controls the number of pods", todo)
            if self.settings.instances not in (None, count):
                setting = f"{self.settings.table}.instances"
                text = f"The next deployment sets it to {self.settings.instances}, as {setting} says."
                monitor.note(text, warning=True)
            sent = kube.apply(build_update(self.owner, deployment, replicas=count))
            generation = number(sent, "metadata", "generation")
            target = DeploymentRef(kube, self.owner, self.space)
            limit, patience = self.settings.rollout_timeout, self.settings.patience
            DeploymentRollout(target, self.project, monitor, generation, limit, patience=patience).watch()

    def execute(self, command: Sequence[str], instance: str, streams: Streams) -> int:
        """`mldeploy.providers.capabilities.CanExec`: in a ready pod, or in the named one."""
        with self._connection() as kube:
            chosen = self._require_pod(kube, instance) if instance else self._require_ready_pod(kube)
            return execute_command(kube, chosen.name, self.space, command, streams)

    @contextmanager
    def _connection(self) -> Iterator[KubeClient]:
        with kubernetes_errors(f"{self.owner.app}, namespace {self.space}"):
            yield self.connect()

    def _pods(self, kube: KubeClient) -> tuple[Pod, ...]:
        """Return the app's pods, serving ones first."""
        deployment = parse_pods(kube.select(POD, self.space, self.owner.selector))
        return tuple(sorted(deployment, key=lambda each: (each.leaving, not each.ready)))

    def _require_ready_pod(self, kube: KubeClient) -> Pod:
        ready = next((each for each in self._pods(kube) if each.ready and not each.leaving), None)
        if ready is None:
            raise AbsentError(self.owner.app, "none of its pods is ready", "See `mldeploy status` and `mldeploy logs`.")
        return ready

    def _require_pod(self, kube: KubeClient, name: str) -> Pod:
        known = self._pods(kube)
        for each in known:
            if each.name == name:
                return each
        available = ", ".join(each.name for each in known) or "none"
        raise AbsentError(self.owner.app, f"it has no pod {name}", f"Its pods: {available}.")

    def _get_deployment(self, kube: KubeClient) -> Document | None:
        """Return the Deployment, if mldeploy owns it."""
        deployment = kube.get(DEPLOYMENT, self.owner.app, self.space)
        return deployment if deployment is not None and self.owner.owns(deployment) else None

    def _get_canary(self, kube: KubeClient) -> Document | None:
        """Return the Deployment of a canary that has passed its examination."""
        canary = kube.get(DEPLOYMENT, canary_name(self.owner), self.space)
        return canary if canary is not None and self.owner.owns(canary) and is_examined(canary) else None

    def _require_deployment(self, kube: KubeClient) -> Document:
        deployment = kube.get(DEPLOYMENT, self.owner.app, self.space)
        if deployment is None:
            raise self._absent_error()
        if not self.owner.owns(deployment):
            raise RefusedError(
                self.owner.app, "mldeploy did not create the Deployment with this name", "Use kubectl for it."
            )
        return deployment

    def _absent_error(self) -> AbsentError:
        what = f"is not deployed in the namespace {self.space}"
        return AbsentError(self.owner.app, what, f"Run `mldeploy deploy --target {self.owner.target}`.")


def _resolves(domain: str) -> bool:
    """Whether a host name resolves here; True for no host name."""
    with suppress(socket.gaierror):
        return not domain or bool(socket.getaddrinfo(domain, None))
    return False


def _silent_monitor(app: str) -> Monitor:
    """Return a monitor without output."""
    return Monitor(Resource("service", Key(app)), ignore, Cancel())


def _instance(pod: Pod, url: str) -> Instance:
    if pod.leaving:
        health = ""
    elif pod.ready:
        health = "healthy"
    else:
        health = "starting" if pod.phase in ("Pending", "Running") and not pod.restarts else "unhealthy"
    state = "terminating" if pod.leaving else (pod.waiting or pod.reason or pod.phase).lower()
    answers = url if pod.ready and not pod.leaving else ""
    return Instance(pod.name, pod.image, state, health, answers, pod.started, pod.restarts)


def _release(version: ReplicaSetRevision, serving: ReplicaSetRevision | None, url: str) -> Release:
    state = "serving" if version is serving else "failed" if version.failed else "old"
    return Release(str(version.number), version.image, version.created, state, url if state == "serving" else "")


def _choose_revision(
    app: str, known: tuple[ReplicaSetRevision, ...], deployment: Document, requested: str | None
) -> ReplicaSetRevision:
    """Return the revision to roll back to: the requested one, else the last good one before the current one.

    Raises AbsentError if there is none, and if a failed rollout was already rolled back: a second rollback would lose
    one more version.
    """
    current = revision_number(deployment)
    rolled_back = any(each.failed and each.number == current - 1 for each in known)
    return choose_release(app, known, requested, current, rolled_back=rolled_back)
