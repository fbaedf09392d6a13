"""The service: a revision that has passed its trial gets all requests. https://cloud.google.com/run/docs/deploying"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from google.cloud import run_v2

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.types import Image
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.identity_token import fetch_identity_token
from mldeploy.providers.gcp.cloudrun.revision_spec import RevisionSpec, compare_specs
from mldeploy.providers.gcp.cloudrun.rollout import INGRESS, RunRollout
from mldeploy.providers.gcp.cloudrun.secret_access import is_readable
from mldeploy.providers.gcp.cloudrun.secret_manager import secret_prefix
from mldeploy.providers.gcp.cloudrun.secrets import list_references
from mldeploy.providers.gcp.cloudrun.services import (
    CANDIDATE,
    TRIAL,
    RunServiceInfo,
    TrafficShare,
    delete_service,
    describe_revision,
    describe_service,
    update_service,
    where,
)
from mldeploy.providers.gcp.cloudrun.settings import TARGET
from mldeploy.providers.gcp.cloudrun.trial import trial_digest
from mldeploy.providers.gcp.cloudrun.version import CloudRunVersionStep, require_ours, serving_spec
from mldeploy.providers.gcp.settings import owner_labels

_HEALTHY = re.compile(r"(?i)became healthy in (?P<seconds>[\d.]+)\s?s")


@dataclass(frozen=True)
class RunningRevision:
    """A service that runs the app. is_new: nothing served before. cold_start: seconds; None if it was not measured."""

    url: str
    image: Image | None
    is_new: bool = False
    was_changed: bool = False
    cold_start: float | None = None


@dataclass(frozen=True, eq=False)
class CloudRunService(CloudRunVersionStep[RunningRevision]):
    """The service runs the image with exactly these settings. A new version gets traffic after its trial."""

    kind: ClassVar[str] = "cloudrun-service"
    title: ClassVar[str] = "Run the service"

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[RunningRevision] | None:
        service = describe_service(cloud)
        if service is None:
            return None
        drift = service.missing_labels or tuple(self._drift(cloud, outs, service))
        return Seen(RunningRevision(service.uri, outs.get(self.image)), drift, ours=not service.missing_labels)

    def apply(
        self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[RunningRevision] | None, monitor: Monitor
    ) -> RunningRevision:
        """Raises VerdictError if the version cannot serve, RefusedError while a candidate stands."""
        self.settings.require_platform(outs[self.image].platform)
        service = describe_service(cloud)
        require_ours(cloud, service)
        refuse_beside_candidate(cloud, service)
        if service is None:  # fail before anything is created: the first version is asked while it is private
            fetch_identity_token(cloud.account.identity, f"https://{cloud.app}.run.app")
        desired, rollout = self.prepare(cloud, outs, monitor)
        name = self._keep_version(cloud, desired, service, rollout) or rollout.place(desired, TRIAL)
        monitor.progress(Progress("", f"moving the traffic to {name}"))
        now = rollout.shift((TrafficShare(name, 100),), passed=name)
        rollout.sweep()
        is_new = service is None or not service.passed
        return RunningRevision(now.uri, outs[self.image], is_new, was_changed=True, cold_start=_cold_start(cloud, name))

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        service = describe_service(cloud)
        if service is None or service.missing_labels:
            return False
        delete_service(cloud, monitor)
        return True

    def _keep_version(
        self, cloud: CloudRunCloud, desired: RevisionSpec, service: RunServiceInfo | None, rollout: RunRollout
    ) -> str:
        """The serving revision if it is this version and has passed this trial: the service is updated. Else ""."""
        if service is None or service.passed.get(service.serving) != trial_digest(self.golden):
            return ""
        spec = serving_spec(cloud, service)
        if spec is None or compare_specs(spec, desired):
            return ""
        change = run_v2.Service(
            labels={**service.labels, **owner_labels(cloud.app, TARGET)},
            ingress=INGRESS[self.settings.ingress],
            scaling=rollout.desired_scaling(service),
        )
        update_service(cloud, change, ("labels", "ingress", "scaling"))
        return service.serving

    def _drift(self, cloud: CloudRunCloud, outs: Outputs, service: RunServiceInfo) -> Iterator[str]:
        if candidate := service.tagged(CANDIDATE):
            yield f"the candidate {candidate} has {service.percent(candidate)} % of the traffic → none"
        spec, image = serving_spec(cloud, service), outs.get(self.image)
        if spec is None or not service.passed:
            yield "no version serves → this one"
        elif image is None:
            yield f"image {spec.image} → a new image"
        else:
            desired = self.desired(cloud, outs)
            yield from compare_specs(spec, desired)
            yield from self._unreadable(cloud, desired)
        yield from self._service_drift(service)

    def _unreadable(self, cloud: CloudRunCloud, desired: RevisionSpec) -> Iterator[str]:
        """What an instance that starts now could not read."""
        for secret, _ in list_references(cloud, desired):
            if not is_readable(cloud, secret, desired.account):
                yield f"secret {secret.removeprefix(secret_prefix(cloud))} not readable → readable"

    def _service_drift(self, service: RunServiceInfo) -> Iterator[str]:
        if service.passed and service.passed.get(service.serving) != trial_digest(self.golden):
            yield "golden row not answered → answered"
        if service.tagged(TRIAL) or (service.serving and service.percent(service.serving) != 100):
            yield "the last rollout did not finish → finished"
        if service.ingress != INGRESS[self.settings.ingress]:
            yield f"ingress → {self.settings.ingress}"
        if service.stopped:
            yield "stopped → running"
        limits = (
            ("minimum", service.minimum, self.settings.min),
            ("maximum", service.maximum, self.settings.max),
        )
        for name, was, desired in limits:
            if desired is not None and was != desired:
                yield f"{name} of instances {was or 'default'} → {desired}"


def refuse_beside_candidate(cloud: CloudRunCloud, service: RunServiceInfo | None) -> None:
    """Raise RefusedError while a candidate waits: a plain deployment would end it without saying so."""
    if service is not None and (candidate := service.tagged(CANDIDATE)):
        what = f"{candidate} is a candidate with {service.percent(candidate)} % of the traffic"
        todo = "Run `mldeploy canary promote` to let it serve, or `mldeploy canary abort` to remove it."
        raise RefusedError(where(cloud), what, todo)


def _cold_start(cloud: CloudRunCloud, name: str) -> float | None:
    """How long the revision's first container took to become healthy, as Cloud Run measured it."""
    revision = describe_revision(cloud, name)
    for message in revision.conditions.values() if revision else ():
        if match := _HEALTHY.search(message):
            return float(match["seconds"])
    return None
