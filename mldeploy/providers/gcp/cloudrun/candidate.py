"""A version beside the serving one, without requests, for `mldeploy deploy --canary`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.releases import to_release
from mldeploy.providers.gcp.cloudrun.revision_spec import compare_specs
from mldeploy.providers.gcp.cloudrun.services import (
    CANDIDATE,
    STABLE,
    RunServiceInfo,
    TrafficShare,
    describe_revision,
    describe_service,
    where,
)
from mldeploy.providers.gcp.cloudrun.traffic import abort_candidate
from mldeploy.providers.gcp.cloudrun.trial import trial_digest
from mldeploy.providers.gcp.cloudrun.version import CloudRunVersionStep, require_ours, serving_spec
from mldeploy.providers.traffic import Candidate


@dataclass(frozen=True, eq=False)
class CloudRunCandidate(CloudRunVersionStep[Candidate]):
    """The new version runs beside the serving one, has passed its trial, and has a URL of its own."""

    kind: ClassVar[str] = "cloudrun-candidate"
    title: ClassVar[str] = "Start the candidate"

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[Candidate] | None:
        """Raises AbsentError if nothing serves yet, RefusedError if this version serves already."""
        service = _require_serving(cloud, describe_service(cloud))
        name = service.tagged(CANDIDATE)
        revision = describe_revision(cloud, name) if name else None
        if revision is None:
            return None
        drift = compare_specs(revision.spec, self.desired(cloud, outs))
        if service.passed.get(name) != trial_digest(self.golden):
            drift = (*drift, "golden row not answered → answered")
        return Seen(_to_candidate(service, name, cloud), drift)

    def apply(self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor) -> Candidate:
        """Raises VerdictError if the version cannot serve: the other one gets all requests."""
        self.settings.require_platform(outs[self.image].platform)
        service = _require_serving(cloud, describe_service(cloud))
        spec, (desired, rollout) = serving_spec(cloud, service), self.prepare(cloud, outs, monitor)
        if not service.tagged(CANDIDATE) and spec is not None and not compare_specs(spec, desired):
            what = f"{service.serving} is this version already"
            raise RefusedError(where(cloud), what, "Change the app or its configuration first.")
        name = rollout.place(desired, CANDIDATE)
        shares = (TrafficShare(service.stable, 100, STABLE), TrafficShare(name, 0, CANDIDATE))
        return _to_candidate(rollout.shift(shares, passed=name), name, cloud)

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        service = describe_service(cloud)
        return service is not None and not service.missing_labels and abort_candidate(cloud, service, monitor)


def _require_serving(cloud: CloudRunCloud, service: RunServiceInfo | None) -> RunServiceInfo:
    require_ours(cloud, service)
    if service is None or not service.stable:
        what = "no version serves yet, so there is nothing beside which a candidate could run"
        raise AbsentError(where(cloud), what, "Run `mldeploy deploy --target cloudrun` first.")
    return service


def _to_candidate(service: RunServiceInfo, name: str, cloud: CloudRunCloud) -> Candidate:
    revision = describe_revision(cloud, name)
    if revision is None:
        raise AbsentError(where(cloud), f"the candidate {name} was deleted", "Deploy it again.")
    return Candidate(to_release(revision, service), service.tag_uri(CANDIDATE))
