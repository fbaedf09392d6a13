"""Operate a deployed app on Cloud Run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.cloud import run_v2

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.cloudrun.asking import find_health_error, open_client
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.invoker import is_public
from mldeploy.providers.gcp.cloudrun.logs import RunLogs
from mldeploy.providers.gcp.cloudrun.releases import choose, list_releases, to_release
from mldeploy.providers.gcp.cloudrun.rollout import RunRollout, require_service
from mldeploy.providers.gcp.cloudrun.secrets import require_secrets
from mldeploy.providers.gcp.cloudrun.service import refuse_beside_candidate
from mldeploy.providers.gcp.cloudrun.services import (
    CloudRunRevisionInfo,
    RunServiceInfo,
    TrafficShare,
    describe_revision,
    describe_service,
    update_service,
    where,
)
from mldeploy.providers.gcp.cloudrun.settings import TABLE, CloudRunSettings
from mldeploy.providers.gcp.cloudrun.traffic import open_way
from mldeploy.providers.gcp.errors import GcpError

SCALE_SECONDS = 300.0
POLL_SECONDS = 1.0
_Mode = run_v2.ServiceScaling.ScalingMode


@dataclass(frozen=True)
class CloudRunOperations:
    """`mldeploy.providers.base.Service` for one app. Every method reads the current state from Cloud Run."""

    cloud: CloudRunCloud
    project: Project
    settings: CloudRunSettings

    def instances(self) -> tuple[Instance, ...]:
        """The revisions with traffic, the one with the most first; as often as it has instances at least."""
        service = self._find()
        if service is None or service.stopped:
            return ()
        shares = sorted((each for each in service.traffic if each.percent), key=lambda each: -each.percent)
        return tuple(each for share in shares for each in self._instances_of(service, share))

    def url(self) -> str | None:
        service = self._find()
        return service.uri if service and service.serving and service.passed and not service.stopped else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no service."""
        self._require()
        yield from RunLogs(self.cloud).lines(follow=follow, tail=tail)

    def stop(self) -> bool:
        """Allow no instance. The URL answers 503 until the next deployment."""
        service = self._find()
        if service is None or service.stopped or not service.serving:
            return False
        scaling = run_v2.ServiceScaling(
            scaling_mode=_Mode.MANUAL,
            manual_instance_count=0,
            min_instance_count=service.minimum,
            max_instance_count=service.maximum,
        )
        update_service(self.cloud, run_v2.Service(scaling=scaling), ("scaling",))
        return True

    def releases(self) -> tuple[Release, ...]:
        service = self._find()
        if service is None:
            return ()
        return tuple(to_release(each.revision, service) for each in list_releases(self.cloud, service))

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Move the traffic to an earlier revision: no build, no start of a new version.

        Raises AbsentError if there is none, RefusedError while a candidate stands or if it reads a secret that was
        removed, VerdictError if it does not answer.
        """
        service = self._require()
        refuse_beside_candidate(self.cloud, service)
        chosen = choose(self.cloud, service, revision)
        if chosen.ready is False or chosen.name not in service.passed:
            todo = "Choose one that served: `mldeploy history --target cloudrun`."
            raise RefusedError(f"revision {chosen.name}", "failed when it was deployed", todo)
        require_secrets(self.cloud, chosen.name, chosen.spec)
        rollout = RunRollout(self.cloud, self.project, self.settings, monitor)
        now = rollout.shift((TrafficShare(chosen.name, 100),))
        self._require_answer(now, chosen, monitor)
        image = Image(chosen.spec.image, chosen.spec.image_digest, "", 0, ())
        return Address(now.uri, image, gap_seconds=0.0)

    def scale(self, count: int, monitor: Monitor) -> None:
        """Set the minimum of instances, and the maximum if it is less. Returns once that is in effect."""
        service = self._require()
        if self.settings.min not in (None, count):
            text = f"The next deployment sets the minimum back to {self.settings.min} ({TABLE}.min)."
            monitor.note(text, warning=True)
        scaling = run_v2.ServiceScaling(
            min_instance_count=count,
            max_instance_count=max(service.maximum, count) if service.maximum else 0,
            scaling_mode=_Mode.AUTOMATIC,
        )
        update_service(self.cloud, run_v2.Service(scaling=scaling), ("scaling",))
        for _ in monitor.attempts(every=POLL_SECONDS, within=SCALE_SECONDS):
            monitor.progress(Progress("", f"waiting until {count} instances run"))
            now = require_service(self.cloud)
            if not now.reconciling and now.minimum == count:
                return
        what = f"{count} instances are not running after {SCALE_SECONDS:.0f} s"
        raise GcpError(where(self.cloud), what, "Cloud Run continues. Check with `mldeploy status`.")

    @contextmanager
    def reach(self) -> Iterator[str]:
        """`mldeploy.providers.capabilities.CanForward`: a service that is not public gets an identity token."""
        service = self._require()
        with open_way(self.cloud, service.uri, service.uri) as url:
            yield url

    def _instances_of(self, service: RunServiceInfo, share: TrafficShare) -> Iterator[Instance]:
        revision = describe_revision(self.cloud, share.revision)
        if revision is None:
            return
        health = {True: "healthy", False: "unhealthy", None: "starting"}[revision.ready]
        count = max(1, math.ceil(service.minimum * share.percent / 100))
        for number in range(1, count + 1):
            name = revision.name if count == 1 else f"{revision.name}/{number}"
            yield Instance(
                name, revision.spec.image, f"{share.percent} % of requests", health, service.uri, revision.created
            )

    def _require_answer(self, service: RunServiceInfo, chosen: CloudRunRevisionInfo, monitor: Monitor) -> None:
        public = is_public(self.cloud)
        with open_client(self.cloud, service.uri, service.uri, public=public, monitor=monitor) as client:
            failure = find_health_error(client, chosen.spec.health or self.project.app.health)
        if failure is not None:
            todo = "See `mldeploy logs --target cloudrun`, and go back to another revision."
            cause = f"{chosen.name} has the traffic, but does not respond: {failure.what}"
            raise VerdictError(service.uri, FailureDiagnosis(cause, todo, About.HEALTH))

    def _find(self) -> RunServiceInfo | None:
        service = describe_service(self.cloud)
        return None if service is None or service.missing_labels else service

    def _require(self) -> RunServiceInfo:
        service = self._find()
        if service is None:
            what = f"is not deployed in {self.cloud.account.region} of {self.cloud.account.project}"
            raise AbsentError(self.project.app.name, what, "Run `mldeploy deploy --target cloudrun`.")
        return service
