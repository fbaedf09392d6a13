"""The traffic of a service between two revisions: `mldeploy.providers.traffic.Traffic`.

The state is in the service: the tags `candidate` and `stable`, and their percentages.
https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration#split-traffic
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.cloud import run_v2

from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.cloudrun.asking import request_headers
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.invoker import is_public
from mldeploy.providers.gcp.cloudrun.releases import to_release
from mldeploy.providers.gcp.cloudrun.rollout import RunRollout, wait_for_traffic
from mldeploy.providers.gcp.cloudrun.services import (
    CANDIDATE,
    STABLE,
    RunServiceInfo,
    TrafficShare,
    describe_revision,
    describe_service,
    passed_annotations,
    revision_number,
    traffic_targets,
    update_service,
    where,
)
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.providers.header_proxy import run_header_proxy
from mldeploy.providers.traffic import TrafficSplit


@dataclass(frozen=True)
class CloudRunTraffic:
    """The requests of one app."""

    cloud: CloudRunCloud
    project: Project
    settings: CloudRunSettings

    def split(self) -> TrafficSplit | None:
        service = describe_service(self.cloud)
        if service is None or service.missing_labels or not find_candidate(service):
            return None
        return self._to_split(service)

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        service, candidate = self._require_candidate()
        shares = (TrafficShare(service.stable, 100 - percent, STABLE), TrafficShare(candidate, percent, CANDIDATE))
        return self._to_split(self._rollout(monitor).shift(shares))

    def promote(self, monitor: Monitor) -> Address:
        _, candidate = self._require_candidate()
        rollout = self._rollout(monitor)
        service = rollout.shift((TrafficShare(candidate, 100),))
        rollout.sweep()
        revision = describe_revision(self.cloud, candidate)
        spec = revision.spec if revision else service.template
        return Address(service.uri, Image(spec.image, spec.image_digest, "", 0, ()), gap_seconds=0.0)

    def abort(self, monitor: Monitor) -> bool:
        service = describe_service(self.cloud)
        return service is not None and not service.missing_labels and abort_candidate(self.cloud, service, monitor)

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        service = describe_service(self.cloud)
        url = find_url(service, revision) if service else ""
        if service is None or not url:
            what = f"the revision {revision} has no URL"
            todo = "Only the serving revision and a candidate have one: `mldeploy deploy --canary` starts a candidate."
            raise AbsentError(where(self.cloud), what, todo)
        with open_way(self.cloud, url, service.uri) as way:
            yield way

    def _require_candidate(self) -> tuple[RunServiceInfo, str]:
        service = describe_service(self.cloud)
        candidate = find_candidate(service) if service and not service.missing_labels else ""
        if service is None or not candidate:
            raise AbsentError(where(self.cloud), "has no candidate", "Run `mldeploy deploy --canary PERCENT`.")
        return service, candidate

    def _rollout(self, monitor: Monitor) -> RunRollout:
        return RunRollout(self.cloud, self.project, self.settings, monitor)

    def _to_split(self, service: RunServiceInfo) -> TrafficSplit:
        candidate = find_candidate(service)
        stable = self._release(service, service.stable)
        return TrafficSplit(stable, self._release(service, candidate), float(service.percent(candidate)))

    def _release(self, service: RunServiceInfo, name: str) -> Release:
        revision = describe_revision(self.cloud, name)
        if revision is None:
            raise AbsentError(where(self.cloud), f"the revision {name} was deleted", "Run `mldeploy canary abort`.")
        return to_release(revision, service)


def find_candidate(service: RunServiceInfo) -> str:
    """The revision that waits for more traffic; "" if there is none that has passed its trial."""
    candidate = service.tagged(CANDIDATE)
    return candidate if candidate in service.passed else ""


def abort_candidate(cloud: CloudRunCloud, service: RunServiceInfo, monitor: Monitor) -> bool:
    """Give the stable revision everything; True if there was a candidate. The next deployments sweep its revision."""
    candidate = service.tagged(CANDIDATE)
    if not candidate or not service.stable:
        return False
    passed = {name: digest for name, digest in service.passed.items() if name != candidate}
    change = run_v2.Service(
        traffic=traffic_targets((TrafficShare(service.stable, 100),)), annotations=passed_annotations(service, passed)
    )
    update_service(cloud, change, ("traffic", "annotations"))
    wait_for_traffic(cloud, monitor, (TrafficShare(service.stable, 100),))
    return True


def find_url(service: RunServiceInfo, revision: str) -> str:
    """Where one revision alone answers, by its name or number; "" if nowhere."""
    for each in service.routed:
        if revision.lstrip("v") in (each.revision, str(revision_number(each.revision))):
            return each.uri or (service.uri if each.percent == 100 else "")
    return ""


@contextmanager
def open_way(cloud: CloudRunCloud, url: str, audience: str) -> Iterator[str]:
    """A URL that leads to the app from this machine: its own, or a proxy that adds an identity token."""
    if is_public(cloud):
        yield url
        return
    headers = request_headers(cloud, audience, public=False)
    with run_header_proxy(url, cloud.trust, headers) as way:
        yield way
