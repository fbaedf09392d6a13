"""Bring a new version: a revision without traffic, its trial at a URL of its own, and the move of the traffic.

https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from google.cloud import run_v2

from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.revision_spec import RevisionSpec, build_template, compare_specs
from mldeploy.providers.gcp.cloudrun.secrets import delete_unset_secrets, list_references
from mldeploy.providers.gcp.cloudrun.services import (
    STABLE,
    TRIAL,
    CloudRunRevisionInfo,
    RunServiceInfo,
    TrafficShare,
    create_service,
    delete_revision,
    describe_revision,
    describe_service,
    list_revisions,
    passed_annotations,
    revision_number,
    traffic_targets,
    update_service,
    where,
)
from mldeploy.providers.gcp.cloudrun.settings import TARGET, CloudRunSettings
from mldeploy.providers.gcp.cloudrun.trial import RevisionTrial
from mldeploy.providers.gcp.cloudrun.verdict import CloudRunEvidence, build_verdict
from mldeploy.providers.gcp.errors import GcpError
from mldeploy.providers.gcp.settings import owner_labels

POLL_SECONDS = 0.5
ROUTE_SECONDS = 180.0
VISIBLE_SECONDS = 20.0
"""A new service may be missing in the first answers."""
YOUNG_SECONDS = 60.0
"""So long a service account that was just created, perhaps before a crash, may be unknown to Cloud Run."""
_UNKNOWN_ACCOUNT = re.compile(r"(?i)service ?account.*(does not exist|may not exist|not found)|actAs")

_UNREADABLE_SECRET = re.compile(r"the secret \S+ cannot be read")
GRANT_PAUSES = (2.0, 8.0, 20.0, 40.0, 60.0, 60.0)
"""Seconds. A grant takes effect within two minutes as a rule."""

INGRESS = {
    "all": run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
    "internal": run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
    "internal-and-load-balancer": run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
}


@dataclass(frozen=True)
class RunRollout:
    """The rollout of one version. account_is_new: the app's service account was created in this deployment.

    grants_are_new: it was given access to a secret in this deployment.
    """

    cloud: CloudRunCloud
    project: Project
    settings: CloudRunSettings
    monitor: Monitor
    golden: GoldenRow | None = None
    account_is_new: bool = False
    grants_are_new: bool = False

    @property
    def trial(self) -> RevisionTrial:
        return RevisionTrial(self.cloud, self.project, self.monitor, self.golden, self.settings.ingress)

    def place(self, spec: RevisionSpec, tag: str) -> str:
        """Start a revision beside the one that serves, ask it, and return its name. It has the tag and no traffic.

        Where no version has passed a trial yet, it gets the traffic at once: nobody may send any. Raises VerdictError:
        the traffic is as it was. May be repeated after a crash: the same revision is used. A grant that Cloud Run does
        not know yet leads to a few more attempts: https://cloud.google.com/iam/docs/access-change-propagation
        """
        for pause in GRANT_PAUSES if self.grants_are_new else ():
            try:
                return self._place(spec, tag)
            except VerdictError as error:
                if not _UNREADABLE_SECRET.search(str(error)):
                    raise
                self.monitor.progress(Progress("", "waiting until the app may read its secrets"))
                self.monitor.wait(pause)
        return self._place(spec, tag)

    def _place(self, spec: RevisionSpec, tag: str) -> str:
        """One attempt of `place`. Raises VerdictError."""
        before = describe_service(self.cloud)
        name = self._choose_name(before, spec)
        stable = _stable_shares(before, tag)
        is_alone = not stable or stable[0].revision == name
        shares = (TrafficShare(name, 100, tag),) if is_alone else (*stable, TrafficShare(name, 0, tag))
        self._write(before, spec, name, shares)
        try:
            self._wait_until_ready(name)
            service = self._wait_for_tag(name, tag)
            if service.passed.get(name) != self.trial.digest:
                self.trial.ask(name, service.tag_uri(tag), service.uri)
        except VerdictError:
            self._withdraw(stable)
            raise
        return name

    def shift(self, shares: Sequence[TrafficShare], passed: str = "") -> RunServiceInfo:
        """Divide the traffic and return once that is in effect. passed: a revision that has passed its trial now."""
        service = require_service(self.cloud)
        paths, change = ["traffic"], run_v2.Service(traffic=traffic_targets(shares))
        if passed:
            paths.append("annotations")
            entries = {**service.passed, passed: self.trial.digest}
            change.annotations = passed_annotations(service, self._existing(entries, shares))
        update_service(self.cloud, change, paths)
        return wait_for_traffic(self.cloud, self.monitor, shares)

    def sweep(self) -> None:
        """Delete old revisions without traffic and tag, but keep so many, and secrets that were unset.

        A failure is noted: the version serves.
        """
        service = require_service(self.cloud)
        used = {each.revision for each in service.traffic} | {service.newest}
        revisions = list_revisions(self.cloud)
        old = [each for each in revisions if each.name not in used]
        for each in old[self.settings.keep_revisions :]:
            try:
                delete_revision(self.cloud, each.name)
            except MldeployError as error:
                self.monitor.note(f"The old revision {each.name} stays: {error.what}.")
        if any(list_references(self.cloud, each.spec) for each in revisions):
            self._sweep_secrets()

    def _sweep_secrets(self) -> None:
        try:
            delete_unset_secrets(self.cloud, self.monitor)
        except MldeployError as error:
            self.monitor.note(f"Secrets that were unset stay: {error.what}.")

    def _choose_name(self, before: RunServiceInfo | None, spec: RevisionSpec) -> str:
        """The newest revision, if it is this version and has not failed; else a new name."""
        app = self.cloud.app
        if before is None:
            return f"{app}-00001-{spec.digest}"
        if not compare_specs(before.template, spec):
            existing = describe_revision(self.cloud, before.newest)
            if existing is None or existing.ready is not False:
                return before.newest
        known = [revision_number(before.newest), *(each.number for each in list_revisions(self.cloud))]
        return f"{app}-{max(known) + 1:05d}-{spec.digest}"

    def _write(
        self, before: RunServiceInfo | None, spec: RevisionSpec, name: str, shares: Sequence[TrafficShare]
    ) -> None:
        service = run_v2.Service(
            labels={**(before.labels if before else {}), **owner_labels(self.cloud.app, TARGET)},
            template=build_template(spec, self.cloud.app, name),
            traffic=traffic_targets(shares),
            ingress=INGRESS[self.settings.ingress],
            scaling=self.desired_scaling(before),
            client=TARGET,
        )
        self.monitor.progress(Progress("", f"starting {name}"))
        paths = ("labels", "template", "traffic", "ingress", "scaling")
        for waited in self.monitor.attempts(every=2.0, within=YOUNG_SECONDS + 1.0):
            try:
                if before is None:
                    create_service(self.cloud, service)
                else:
                    update_service(self.cloud, service, paths)
            except MldeployError as error:
                is_young = self.account_is_new or before is None or not before.passed
                if not (is_young and waited < YOUNG_SECONDS and _UNKNOWN_ACCOUNT.search(error.what)):
                    raise
                self.monitor.progress(Progress("", "waiting until Cloud Run knows the app's service account"))
            else:
                return

    def desired_scaling(self, before: RunServiceInfo | None) -> run_v2.ServiceScaling:
        """The limits of the settings, else those that are there. A stopped service starts again."""
        minimum, maximum = self.settings.min, self.settings.max
        return run_v2.ServiceScaling(
            min_instance_count=minimum if minimum is not None else before.minimum if before else 0,
            max_instance_count=maximum if maximum is not None else before.maximum if before else 0,
            scaling_mode=run_v2.ServiceScaling.ScalingMode.AUTOMATIC,
        )

    def _wait_until_ready(self, name: str) -> None:
        """Return once the revision's container has started. Raises VerdictError."""
        info: CloudRunRevisionInfo | None = None
        for waited in self.monitor.attempts(every=POLL_SECONDS, within=self.settings.rollout_timeout):
            info = describe_revision(self.cloud, name)
            if info is not None and info.ready:
                return
            if info is not None and info.ready is False:
                raise build_verdict(self.project, self.trial.collect(name, info=info))
            if info is None:
                self._require_accepted(name)
            self.monitor.progress(Progress("", f"waiting until {name} has started ({waited:.0f} s)"))
        complaint = info.message if info else ""
        late = f"it is not ready after {self.settings.rollout_timeout} s (`rollout_timeout`) {complaint}".strip()
        raise build_verdict(self.project, replace(self.trial.collect(name), complaint=late))

    def _require_accepted(self, name: str) -> None:
        """Raise VerdictError if Cloud Run has created no revision and does not try to."""
        service = describe_service(self.cloud)
        is_rejected = service is not None and not service.reconciling and bool(service.complaint)
        if service is not None and is_rejected and describe_revision(self.cloud, name) is None:
            raise build_verdict(self.project, CloudRunEvidence(name, service.complaint))

    def _wait_for_tag(self, name: str, tag: str) -> RunServiceInfo:
        def has_url(service: RunServiceInfo) -> bool:
            return any(each.tag == tag and each.revision == name and each.uri for each in service.routed)

        return _wait_for_service(self.cloud, self.monitor, has_url, f"{name} has no URL of its own")

    def _withdraw(self, stable: Sequence[TrafficShare]) -> None:
        """Take the tag from a revision that failed. A failure becomes a note: the revision's own must be reported."""
        if not stable:
            return
        shares = [replace(each, tag="") for each in stable]
        try:
            update_service(self.cloud, run_v2.Service(traffic=traffic_targets(shares)), ["traffic"])
        except MldeployError as error:
            self.monitor.note(
                f"The failed revision keeps its own URL ({error.what}). It gets no traffic.", warning=True
            )

    def _existing(self, passed: dict[str, str], shares: Sequence[TrafficShare]) -> dict[str, str]:
        """Without the revisions that are gone."""
        names = {each.name for each in list_revisions(self.cloud)} | {each.revision for each in shares}
        return {name: digest for name, digest in passed.items() if name in names}


def wait_for_traffic(cloud: CloudRunCloud, monitor: Monitor, shares: Sequence[TrafficShare]) -> RunServiceInfo:
    """Return once the traffic is divided like this. Raises GcpError at the deadline."""
    desired = {each.revision: each.percent for each in shares if each.percent}

    def is_divided(service: RunServiceInfo) -> bool:
        return {each.revision: each.percent for each in service.routed if each.percent} == desired

    return _wait_for_service(cloud, monitor, is_divided, "its traffic was not moved")


def _wait_for_service(
    cloud: CloudRunCloud, monitor: Monitor, is_reached: Callable[[RunServiceInfo], bool], otherwise: str
) -> RunServiceInfo:
    complaint = ""
    for waited in monitor.attempts(every=POLL_SECONDS, within=ROUTE_SECONDS):
        service = describe_service(cloud) if waited < VISIBLE_SECONDS else require_service(cloud)
        if service is not None and is_reached(service):
            return service
        complaint = service.complaint if service else ""
    reason = f": {complaint}" if complaint else ""
    raise GcpError(where(cloud), f"{otherwise} after {ROUTE_SECONDS:.0f} s{reason}", "Run the command again.")


def require_service(cloud: CloudRunCloud) -> RunServiceInfo:
    """The service, which exists."""
    service = describe_service(cloud)
    if service is None:
        raise GcpError(where(cloud), "was deleted during the deployment", "Run the command again.")
    return service


def _stable_shares(before: RunServiceInfo | None, tag: str) -> tuple[TrafficShare, ...]:
    """What keeps its traffic while a new revision is tried: all of it goes to the stable revision."""
    stable = before.stable if before else ""
    if not stable:
        return ()
    return (TrafficShare(stable, 100, "" if tag == TRIAL else STABLE),)
