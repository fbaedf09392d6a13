"""What runs of an app in a cluster, and how it is operated."""

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
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.executing import Streams
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.executing import execute
from mldeploy.providers.kubernetes.forward import forwarded
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, number
from mldeploy.providers.kubernetes.running import history
from mldeploy.providers.kubernetes.running.addresses import url_of
from mldeploy.providers.kubernetes.running.history import Version, restated, revision
from mldeploy.providers.kubernetes.running.logs import Log
from mldeploy.providers.kubernetes.running.pods import Pod, pods
from mldeploy.providers.kubernetes.running.rollout import Place, Rollout
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.steps.deployment import back
from mldeploy.providers.kubernetes.types import AUTOSCALER, DEPLOYMENT, POD
from mldeploy.providers.kubernetes.watching import Watch

STOP_SECONDS = 120.0


@dataclass(frozen=True)
class InClusterService:
    """The app's Deployment. Every method asks the cluster anew.

    enter: a client for the cluster. Raises AbsentError if there is no cluster.
    """

    enter: Callable[[], Kube]
    project: Project
    settings: InClusterSettings
    owner: Owner

    @property
    def space(self) -> str:
        return self.settings.space(self.owner.app)

    def instances(self) -> tuple[Instance, ...]:
        with self._speaking() as kube:
            url = url_of(kube, self.owner, self.space, self.settings)
            return tuple(_instance(each, url) for each in self._pods(kube))

    def url(self) -> str | None:
        with self._speaking() as kube:
            found = self._found(kube)
            runs = found is not None and number(found, "spec", "replicas") > 0
            return (url_of(kube, self.owner, self.space, self.settings) or None) if runs else None

    @contextmanager
    def reach(self) -> Iterator[str]:
        """`mldeploy.providers.reaching.Reachable`. Without an address from outside: a door here to one of the pods.

        A host name that leads nowhere yet is none. Raises AbsentError if no pod is ready.
        """
        if self.settings.way is not Way.CLUSTER_IP and _leads_somewhere(self.settings.domain):
            url = self.url()
            if url is None:
                raise self._absent()
            yield url
            return
        with self._speaking() as kube:
            ready = self._ready(kube)
            with forwarded(kube, ready.name, self.space, self.project.app.port) as url:
                yield url

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Of all pods. Raises AbsentError if nothing is deployed."""
        with self._speaking() as kube:
            self._there(kube)
            yield from Log(kube, self.owner, self.space).lines(follow=follow, tail=tail)

    def stop(self) -> bool:
        """No pod runs; the Deployment stays."""
        with self._speaking() as kube:
            found = self._found(kube)
            if found is None or not number(found, "spec", "replicas"):
                return False
            kube.apply(restated(self.owner, found, replicas=0))
            place = Place(kube, self.owner, self.space)
            with Watch(kube, (place.pods,)) as watch:
                for _ in watch.rounds(_unwatched(self.owner.app), STOP_SECONDS):
                    if not watch.seen(place.pods):
                        break
            return True

    def releases(self) -> tuple[Release, ...]:
        """The ReplicaSets that are kept."""
        with self._speaking() as kube:
            found = self._found(kube)
            if found is None:
                return ()
            url = url_of(kube, self.owner, self.space, self.settings)
            known = history.of(kube, self.owner, self.space, found)
            serving = next((each for each in known if each.available), None)
            return tuple(_release(each, serving, url) for each in known)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Roll an earlier revision out. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with self._speaking() as kube:
            found = self._there(kube)
            known = history.of(kube, self.owner, self.space, found)
            to = _chosen(self.owner.app, known, found, revision)
            back(kube, self.owner, self.project, found, to, monitor, self.settings.rollout_timeout)
            url = url_of(kube, self.owner, self.space, self.settings)
            return Address(url, Image(to.image, to.image.partition("@")[2], "", 0, ()))

    def scale(self, count: int, monitor: Monitor) -> None:
        """Run so many pods, and return once they serve. Raises VerdictError if they cannot be had."""
        with self._speaking() as kube:
            found = self._there(kube)
            if kube.get(AUTOSCALER, self.owner.app, self.space) is not None:
                todo = f"Change `min` and `max` in [{self.settings.table}], and deploy."
                raise RefusedError(self.owner.app, "autoscaling decides how many pods run", todo)
            if self.settings.instances not in (None, count):
                said = f"{self.settings.table}.instances"
                text = f"The next deployment sets it to {self.settings.instances}, as {said} says."
                monitor.note(text, warning=True)
            sent = kube.apply(restated(self.owner, found, replicas=count))
            generation = number(sent, "metadata", "generation")
            place = Place(kube, self.owner, self.space)
            Rollout(place, self.project, monitor, generation, self.settings.rollout_timeout).watch()

    def execute(self, command: Sequence[str], instance: str, streams: Streams) -> int:
        """`mldeploy.providers.executing.CanExec`: in a pod that is ready, or in the one that is named."""
        with self._speaking() as kube:
            chosen = self._named(kube, instance) if instance else self._ready(kube)
            return execute(kube, chosen.name, self.space, command, streams)

    @contextmanager
    def _speaking(self) -> Iterator[Kube]:
        with kubernetes_errors(f"{self.owner.app}, namespace {self.space}"):
            yield self.enter()

    def _pods(self, kube: Kube) -> tuple[Pod, ...]:
        """Those that serve first."""
        found = pods(kube.select(POD, self.space, self.owner.selector))
        return tuple(sorted(found, key=lambda each: (each.leaving, not each.ready)))

    def _ready(self, kube: Kube) -> Pod:
        ready = next((each for each in self._pods(kube) if each.ready and not each.leaving), None)
        if ready is None:
            raise AbsentError(self.owner.app, "no pod of it is ready", "See `mldeploy status` and `mldeploy logs`.")
        return ready

    def _named(self, kube: Kube, name: str) -> Pod:
        known = self._pods(kube)
        for each in known:
            if each.name == name:
                return each
        there = ", ".join(each.name for each in known) or "none"
        raise AbsentError(self.owner.app, f"there is no pod {name} of it", f"There are: {there}.")

    def _found(self, kube: Kube) -> Document | None:
        """The Deployment, if it is ours."""
        found = kube.get(DEPLOYMENT, self.owner.app, self.space)
        return found if found is not None and self.owner.owns(found) else None

    def _there(self, kube: Kube) -> Document:
        found = kube.get(DEPLOYMENT, self.owner.app, self.space)
        if found is None:
            raise self._absent()
        if not self.owner.owns(found):
            raise RefusedError(
                self.owner.app, "mldeploy did not make the Deployment of this name", "Operate it yourself."
            )
        return found

    def _absent(self) -> AbsentError:
        what = f"nothing runs in the namespace {self.space}"
        return AbsentError(self.owner.app, what, f"`mldeploy deploy --target {self.owner.target}` brings it there.")


def _leads_somewhere(domain: str) -> bool:
    """Whether a host name is known here; where there is none, an address is."""
    with suppress(socket.gaierror):
        return not domain or bool(socket.getaddrinfo(domain, None))
    return False


def _unwatched(app: str) -> Monitor:
    """For a wait that nobody is told of."""
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


def _release(version: Version, serving: Version | None, url: str) -> Release:
    state = "serving" if version is serving else "failed" if version.failed else "old"
    return Release(str(version.number), version.image, version.created, state, url if state == "serving" else "")


def _chosen(app: str, known: tuple[Version, ...], deployment: Document, wanted: str | None) -> Version:
    """The release to go back to: the one that is named, else the last one that served before this one.

    Raises AbsentError if there is none, and where a failed rollout was taken back already: whoever wants that undone
    does not want to lose one version more.
    """
    if wanted is not None:
        for each in known:
            if wanted.lstrip("v") == str(each.number):
                return each
        there = ", ".join(str(each.number) for each in known)
        raise AbsentError(app, f"there is no revision {wanted}", f"There are: {there}.")
    now = revision(deployment)
    if any(each.failed and each.number == now - 1 for each in known):
        what = f"the last deployment failed, and was taken back: revision {now} serves"
        raise AbsentError(app, what, "Name a revision to go further back: `mldeploy history` lists them.")
    for each in known:
        if each.number < now and not each.failed:
            return each
    raise AbsentError(app, "there is no earlier release to go back to", "See `mldeploy history`.")
