"""Read and change the app's service and its revisions. https://cloud.google.com/run/docs/reference/rpc"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from google.api_core import exceptions as api
from google.cloud import run_v2
from google.protobuf import field_mask_pb2

from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import call, wait_until_gone
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.revision_spec import RevisionSpec, parse_spec
from mldeploy.providers.gcp.cloudrun.settings import TARGET
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.settings import missing_labels

GONE_SECONDS = 300.0
PASSED = "mldeploy/passed"
"""The annotation of a service that lists the revisions that may get traffic: `REVISION=GOLDEN REVISION=GOLDEN`."""
REVISION_TYPE = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
_NUMBER = re.compile(r"-(?P<number>\d{5})-[^-]+$")
_State = run_v2.Condition.State


@dataclass(frozen=True)
class TrafficShare:
    """The traffic of one revision. uri: of the tag, as far as it is in effect; "" without."""

    revision: str
    percent: int
    tag: str = ""
    uri: str = ""


@dataclass(frozen=True)
class RunServiceInfo:
    """The app's service. template: the spec of its newest revision. traffic: as ordered; routed: as in effect.

    passed: what each revision that may get traffic has answered (`trial_digest`). stopped: scaled to 0 by hand.
    minimum, maximum: instances, 0 for Cloud Run's default. complaint: why the last change is not in effect.
    """

    uri: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    missing_labels: tuple[str, ...]
    newest: str
    template: RevisionSpec
    traffic: tuple[TrafficShare, ...]
    routed: tuple[TrafficShare, ...]
    passed: Mapping[str, str]
    ingress: run_v2.IngressTraffic
    stopped: bool
    minimum: int
    maximum: int
    reconciling: bool
    complaint: str

    @property
    def serving(self) -> str:
        """The revision with the most traffic, "" if none has any."""
        best = max(self.traffic, key=lambda each: each.percent, default=None)
        return best.revision if best and best.percent else ""

    @property
    def stable(self) -> str:
        """The revision that serves, also beside a candidate; "" while none has passed a trial."""
        revision = self.tagged(STABLE) or self.serving
        return revision if self.passed else ""

    def tagged(self, tag: str) -> str:
        return next((each.revision for each in self.traffic if each.tag == tag), "")

    def tag_uri(self, tag: str) -> str:
        return next((each.uri for each in self.routed if each.tag == tag), "")

    def percent(self, revision: str) -> int:
        return sum(each.percent for each in self.traffic if each.revision == revision)


TRIAL, CANDIDATE, STABLE = "trial", "candidate", "stable"
"""Tags: of a revision that is being asked, of one that waits for `canary promote`, and of the one beside it."""


@dataclass(frozen=True)
class CloudRunRevisionInfo:
    """One revision. created: ISO 8601, UTC. ready: None while that is open. message: why it is not ready.

    reason: the SDK's name of the cause. instances: the least that should run. conditions: message by type.
    """

    name: str
    spec: RevisionSpec
    created: str
    ready: bool | None
    message: str
    reason: str
    instances: int
    conditions: Mapping[str, str]

    @property
    def number(self) -> int:
        return revision_number(self.name)


def where(cloud: CloudRunCloud) -> str:
    return f"service {cloud.app}"


def revision_number(name: str) -> int:
    """The number in a revision's name, 0 for names of others."""
    match = _NUMBER.search(name)
    return int(match["number"]) if match else 0


def describe_service(cloud: CloudRunCloud) -> RunServiceInfo | None:
    """None if the service does not exist. Raises DeniedError, DisabledError, GcpError."""
    with gcp_errors(where(cloud), "run.services.get"):
        try:
            request = run_v2.GetServiceRequest(name=cloud.service_path)
            return _parse_service(cloud, call(cloud.account.identity, cloud.services.get_service, request))
        except api.NotFound:
            return None


def create_service(cloud: CloudRunCloud, service: run_v2.Service) -> None:
    """Create it, or let the one be that an earlier attempt created. Does not wait."""
    request = run_v2.CreateServiceRequest(parent=cloud.parent, service_id=cloud.app, service=service)
    with gcp_errors(where(cloud), "run.services.create"):
        try:
            call(cloud.account.identity, cloud.services.create_service, request)
        except api.Conflict:
            return


def update_service(cloud: CloudRunCloud, service: run_v2.Service, paths: Sequence[str]) -> None:
    """Change the fields in `paths`. Does not wait. May be repeated."""
    service.name = cloud.service_path
    mask = field_mask_pb2.FieldMask(paths=list(paths))
    request = run_v2.UpdateServiceRequest(service=service, update_mask=mask)
    with gcp_errors(where(cloud), "run.services.update"):
        call(cloud.account.identity, cloud.services.update_service, request)


def delete_service(cloud: CloudRunCloud, monitor: Monitor) -> None:
    """Delete the service with its revisions, and wait."""
    with gcp_errors(where(cloud), "run.services.delete"):
        try:
            request = run_v2.DeleteServiceRequest(name=cloud.service_path)
            call(cloud.account.identity, cloud.services.delete_service, request)
        except (api.NotFound, api.FailedPrecondition, api.Conflict):
            pass  # deleted, or being deleted, by an earlier attempt
    wait_until_gone(monitor, where(cloud), lambda: describe_service(cloud) is None, GONE_SECONDS)


def describe_revision(cloud: CloudRunCloud, name: str) -> CloudRunRevisionInfo | None:
    """None if the revision does not exist (yet)."""
    with gcp_errors(f"revision {name}", "run.revisions.get"):
        try:
            request = run_v2.GetRevisionRequest(name=f"{cloud.service_path}/revisions/{name}")
            return _parse_revision(call(cloud.account.identity, cloud.revisions.get_revision, request))
        except api.NotFound:
            return None


def list_revisions(cloud: CloudRunCloud) -> tuple[CloudRunRevisionInfo, ...]:
    """The service's revisions, the newest first; none if there is no service."""
    with gcp_errors(where(cloud), "run.revisions.list"):
        try:
            request = run_v2.ListRevisionsRequest(parent=cloud.service_path)
            revisions = [*call(cloud.account.identity, cloud.revisions.list_revisions, request)]
        except api.NotFound:
            return ()
    existing = [_parse_revision(each) for each in revisions if not each.delete_time]
    return tuple(sorted(existing, key=lambda each: (each.created, each.number), reverse=True))


def delete_revision(cloud: CloudRunCloud, name: str) -> None:
    """Delete a revision without traffic and tag. Does not wait: nothing depends on it."""
    with gcp_errors(f"revision {name}", "run.revisions.delete"):
        try:
            request = run_v2.DeleteRevisionRequest(name=f"{cloud.service_path}/revisions/{name}")
            call(cloud.account.identity, cloud.revisions.delete_revision, request)
        except api.NotFound:
            return


def traffic_targets(shares: Iterable[TrafficShare]) -> list[run_v2.TrafficTarget]:
    """The traffic of a service, by the names of its revisions."""
    return [
        run_v2.TrafficTarget(type_=REVISION_TYPE, revision=each.revision, percent=each.percent, tag=each.tag)
        for each in shares
    ]


def passed_annotations(service: RunServiceInfo, passed: Mapping[str, str]) -> dict[str, str]:
    """The service's annotations with another list of revisions that have passed. Those of others stay."""
    return {**service.annotations, PASSED: " ".join(f"{revision}={digest}" for revision, digest in passed.items())}


def _parse_service(cloud: CloudRunCloud, service: run_v2.Service) -> RunServiceInfo:
    entries = service.annotations.get(PASSED, "").split()
    scaling, condition = service.scaling, service.terminal_condition
    manual = scaling.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL
    latest = service.latest_ready_revision.rpartition("/")[2]
    return RunServiceInfo(
        uri=service.uri,
        labels=dict(service.labels),
        annotations=dict(service.annotations),
        missing_labels=missing_labels(service.labels, cloud.app, TARGET),
        newest=service.template.revision or service.latest_created_revision.rpartition("/")[2],
        template=parse_spec(service.template),
        traffic=tuple(TrafficShare(each.revision or latest, each.percent, each.tag) for each in service.traffic),
        routed=tuple(
            TrafficShare(each.revision or latest, each.percent, each.tag, each.uri) for each in service.traffic_statuses
        ),
        passed={name: digest for name, _, digest in (each.partition("=") for each in entries)},
        ingress=service.ingress,
        stopped=manual and scaling.manual_instance_count == 0,
        minimum=scaling.min_instance_count,
        maximum=scaling.max_instance_count,
        reconciling=service.reconciling,
        complaint=condition.message if condition.state == _State.CONDITION_FAILED else "",
    )


def _parse_revision(revision: run_v2.Revision) -> CloudRunRevisionInfo:
    ready = next((each for each in revision.conditions if each.type_ == "Ready"), run_v2.Condition())
    failed = [each for each in revision.conditions if each.state == _State.CONDITION_FAILED]
    cause = next(iter(failed), ready)
    state = {_State.CONDITION_SUCCEEDED: True, _State.CONDITION_FAILED: False}.get(ready.state)
    return CloudRunRevisionInfo(
        name=revision.name.rpartition("/")[2],
        spec=parse_spec(revision),
        created=_created(revision),
        ready=state,
        message=ready.message or cause.message,
        reason=_reason(cause),
        instances=revision.scaling_status.desired_min_instance_count,
        conditions={each.type_: each.message for each in revision.conditions},
    )


def _created(revision: run_v2.Revision) -> str:
    moment = run_v2.Revision.pb(revision).create_time
    return str(moment.ToDatetime(tzinfo=UTC).isoformat(timespec="milliseconds")) if moment.seconds else ""


def _reason(condition: run_v2.Condition) -> str:
    names = (condition.reason.name, condition.revision_reason.name)
    return next((each for each in names if not each.endswith("_UNDEFINED")), "")
