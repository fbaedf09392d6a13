"""A canary on this machine: two containers behind the proxy, which divides the requests by weight.

What is known of it is on the engine: the container `mldeploy-APP-canary`, and the routes of the proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from mldeploy.app.container import Container
from mldeploy.app.containers import Containers
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.engine_lock import hold_engine_lock
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Release
from mldeploy.providers.errors import AbsentError, canary_stands, without_candidate
from mldeploy.providers.local.history import list_releases
from mldeploy.providers.local.proxy import ProxyAccess, ProxyContainers
from mldeploy.providers.local.proxy_rollout import open_rollout
from mldeploy.providers.local.rollout import LOCK_SUBJECT
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.traffic import TrafficSplit


@dataclass(frozen=True)
class CanaryPair:
    """The two versions. stable: None after a promotion that was killed before its last step."""

    stable: Container | None
    canary: Container


@dataclass(frozen=True)
class LocalTraffic:
    """`mldeploy.providers.traffic.Traffic`. Every method may raise EngineError, those with a monitor LockedError."""

    engine: Engine
    project: Project
    settings: LocalSettings

    @cached_property
    def containers(self) -> Containers:
        return Containers(self.engine, self.project.app.name)

    @cached_property
    def proxies(self) -> ProxyContainers:
        return ProxyContainers.of(self.engine, self.project.app.name, ProxyAccess.of(self.project))

    def split(self) -> TrafficSplit | None:
        return read_split(self.containers)

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        """Raises RefusedError if a promotion has begun."""
        with self._locked():
            pair = self._require_pair()
            stable, proxy = self._require_stable(pair), self._running_proxy()
            monitor.progress(Progress("", f"giving the canary {percent} % of the requests"))
            self.proxies.share(proxy.id, ((stable, 100 - percent), (pair.canary, percent)))
            split = self.split()
        assert split is not None  # noqa: S101 - the lock is held
        return split

    def promote(self, monitor: Monitor) -> Address:
        with self._locked():
            pair = self._require_pair()
            canary = pair.canary if pair.canary.running else self.containers.start(pair.canary.id)
            proxy = self._running_proxy()
            monitor.progress(Progress("", "switching to the canary"))
            self.proxies.route(proxy.id, canary)
            if pair.stable:
                self._close(pair.stable, proxy, monitor)
            self.containers.rename(canary.id, self.containers.serving)
        image = Image(canary.spec.image, canary.spec.image_id, "", 0, ())
        return Address(proxy.url, image, gap_seconds=0.0 if pair.stable and pair.stable.running else None)

    def abort(self, monitor: Monitor) -> bool:
        """Raises RefusedError if a promotion has begun: then the stable version is gone."""
        with self._locked():
            pair = find_pair(self.containers)
            if pair is None:
                return False
            stable, proxy = self._require_stable(pair), self.proxies.current()
            monitor.progress(Progress("", "sending all requests to the serving version"))
            if proxy and proxy.running:
                self.proxies.route(proxy.id, stable, check=False)
            self._close(pair.canary, proxy if proxy and proxy.running else None, monitor)
            return True

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        """Each container is published at a port of its own on this machine."""
        pair = find_pair(self.containers)
        known = (pair.stable, pair.canary) if pair else (self.containers.own(self.containers.serving),)
        for each in known:
            if each and each.running and list_releases(each)[0].tag == revision:
                yield each.url
                return
        raise AbsentError(self.containers.app, f"revision {revision} does not run", "See `mldeploy history`.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with hold_engine_lock(self.engine, self.project.app.name, LOCK_SUBJECT):
            yield

    def _close(self, old: Container, proxy: Container | None, monitor: Monitor) -> None:
        """Let a container that gets no new requests finish its last ones, and remove it."""
        rollout = open_rollout(self.containers, self.project, self.settings, old.spec.image, old, monitor)
        if proxy and old.running:
            rollout.close_backend(proxy, old)
        else:
            self.containers.stop(old)
            self.containers.remove(old.id)

    def _require_pair(self) -> CanaryPair:
        pair = find_pair(self.containers)
        if pair is None:
            raise without_candidate(self.containers.app)
        return pair

    def _require_stable(self, pair: CanaryPair) -> Container:
        if pair.stable is None:
            what = "a promotion has begun, and the version before it is gone"
            raise RefusedError(self.containers.app, what, "Run `mldeploy canary promote` to finish it.")
        return pair.stable

    def _running_proxy(self) -> Container:
        """Return the proxy, started again if the app was stopped. Raises AbsentError if there is none."""
        proxy = self.proxies.current()
        if proxy is None:
            todo = "Run `mldeploy canary abort`, then `mldeploy deploy`."
            raise AbsentError(self.containers.app, "the proxy that holds its port is gone", todo)
        return proxy if proxy.running else self.containers.start(proxy.id)


def find_pair(containers: Containers) -> CanaryPair | None:
    """Return the two versions, None without a canary. Raises RefusedError if a foreign container has a name."""
    canary = containers.own(containers.canary)
    return CanaryPair(containers.own(containers.serving), canary) if canary else None


def read_split(containers: Containers) -> TrafficSplit | None:
    """Return how the requests are divided, from the proxy's routes."""
    pair = find_pair(containers)
    if pair is None:
        return None
    proxies = ProxyContainers.of(containers.engine, containers.app)
    proxy = proxies.current()
    weights = proxies.weights(proxy.id) if proxy else {}
    share = weights.get(proxies.network.host_of(pair.canary.id), 0)
    percent = 100 * share / sum(weights.values()) if share else 0.0
    candidate = canary_release(pair.canary)
    return TrafficSplit(_stable_release(pair, proxy), candidate, percent)


def canary_release(canary: Container) -> Release:
    """Return the candidate as `history` lists it."""
    now = list_releases(canary)[0]
    return Release(now.tag, canary.spec.image, now.created, "candidate")


def refuse_canary(containers: Containers) -> None:
    """Raises RefusedError while a canary stands: whatever changes the app would decide about it without being asked."""
    split = read_split(containers)
    if split:
        raise canary_stands(containers.app, split.candidate.revision, split.percent)


def _stable_release(pair: CanaryPair, proxy: Container | None) -> Release:
    if pair.stable is None:
        past = (*list_releases(pair.canary)[1:], list_releases(pair.canary)[0])[0]
        return Release(past.tag, f"{pair.canary.spec.app}:{past.tag}", past.created, "old")
    now = list_releases(pair.stable)[0]
    url = proxy.url if proxy and proxy.running and pair.stable.running else ""
    return Release(now.tag, pair.stable.spec.image, now.created, "serving" if pair.stable.running else "old", url)
