"""The requests of an app between its service and its canary's: `mldeploy.providers.traffic.Traffic`.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.types import Image
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate.balancer import find_balancer
from mldeploy.providers.aws.fargate.canary import (
    ABORTED,
    PROMOTED,
    WHOLE,
    CanaryInfo,
    find_canary,
    find_serving_listener_arn,
    read_percent,
    remove_canary,
    send_share,
    set_state,
)
from mldeploy.providers.aws.fargate.candidate import to_release
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.header_rule import CANARY, HEADERS, STABLE, find_token
from mldeploy.providers.aws.fargate.listener import HTTPS, list_owned_ports
from mldeploy.providers.aws.fargate.rollout import ServiceRollout
from mldeploy.providers.aws.fargate.service_spec import ServiceChanges, apply_changes
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.task_definition import keep_candidate, revision_number
from mldeploy.providers.aws.fargate.tasks import ServiceState, describe_service, find_url, service_name
from mldeploy.providers.base import Address
from mldeploy.providers.errors import AbsentError, without_candidate
from mldeploy.providers.header_proxy import run_header_proxy
from mldeploy.providers.traffic import TrafficSplit


@dataclass(frozen=True)
class ServicePair:
    """The service that serves, and a canary that has passed its examination. group: the canary's target group."""

    stable: ServiceState
    canary: ServiceState
    info: CanaryInfo

    @property
    def group(self) -> str:
        return self.info.group


@dataclass(frozen=True)
class FargateTraffic:
    """The weights of the listener, and the tags of the canary's target group, are all it knows."""

    cloud: FargateCloud
    project: Project
    settings: FargateSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    def split(self) -> TrafficSplit | None:
        with aws_errors(self.app, "ecs"):
            pair = self._find_pair()
            return self._split(pair) if pair else None

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        """Scale the canary to its share first. Raises VerdictError if its tasks do not start."""
        with aws_errors(self.app, "ecs"):
            pair = self._require_pair()
            self._scale(pair, max(1, -(-pair.stable.desired * percent // WHOLE)), monitor)
            self._send(pair, percent)
            return self._split(pair)

    def promote(self, monitor: Monitor) -> Address:
        """Roll the canary's version out as the serving one, while the canary answers; then remove the canary.

        Raises VerdictError if the rollout fails: then the old version goes on with its share, and the canary stays.
        """
        with aws_errors(self.app, "ecs"):
            info, stable = find_canary(self.cloud, self.app), describe_service(self.cloud, self.app)
            if info is None or stable is None or info.state != PROMOTED:
                pair = self._require_pair()
                self._roll_out(pair, monitor)
                info, stable = pair.info, describe_service(self.cloud, self.app) or pair.stable
            remove_canary(self.cloud, self.app, info, PROMOTED, monitor)
            release = to_release(self.cloud, self.app, stable.newest.revision, "serving")
            url = find_url(self.cloud, self.app, self.settings.domain)
        return Address(url, Image(release.image, release.image.partition("@")[2], "", 0, ()), gap_seconds=0.0)

    def abort(self, monitor: Monitor) -> bool:
        with aws_errors(self.app, "ecs"):
            info = find_canary(self.cloud, self.app)
            if info is None:
                return False
            state = PROMOTED if info.state == PROMOTED else ABORTED
            remove_canary(self.cloud, self.app, info, state, monitor)
            return state == ABORTED

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        """Only the load balancer reaches a task: a proxy adds the header that leads to the version."""
        with aws_errors(self.app, "ecs"):
            pair, stable = self._find_pair(), describe_service(self.cloud, self.app)
            serves = stable is not None and revision == str(revision_number(stable.newest.revision))
            url = find_url(self.cloud, self.app, self.settings.domain) if serves and not pair else ""
            if pair and revision == str(revision_number(pair.canary.newest.revision)):
                way = self._open_way(CANARY)
            elif pair and serves:
                way = self._open_way(STABLE)
            elif not url:
                raise AbsentError(self.app, f"revision {revision} does not run", "See `mldeploy history`.")
            else:
                way = None
        if way is None:
            yield url
            return
        with way as proxied:
            yield proxied

    def _open_way(self, purpose: str) -> AbstractContextManager[str]:
        token = find_token(self.cloud, find_serving_listener_arn(self.cloud, self.app), purpose)
        balancer = find_balancer(self.cloud, self.app)
        if token is None or balancer is None:
            todo = "Run `mldeploy canary abort`, and start the canary again."
            raise AbsentError(self.app, f"the load balancer has no rule for the {purpose} version", todo)
        headers = ((HEADERS[purpose], token),)
        if str(HTTPS) in list_owned_ports(self.cloud, self.app):
            return run_header_proxy(f"https://{balancer['DNSName']}", self.cloud.trust, headers, self.settings.domain)
        return run_header_proxy(f"http://{balancer['DNSName']}", None, headers)

    def _find_pair(self) -> ServicePair | None:
        stable = describe_service(self.cloud, self.app)
        if stable is None or not stable.ours or not stable.target_groups:
            return None
        info = find_canary(self.cloud, self.app)
        return ServicePair(stable, info.service, info) if info and info.stands and info.service else None

    def _require_pair(self) -> ServicePair:
        pair = self._find_pair()
        if pair is None:
            raise without_candidate(self.app)
        return pair

    def _split(self, pair: ServicePair) -> TrafficSplit:
        stable = to_release(self.cloud, self.app, pair.stable.newest.revision, "serving")
        candidate = to_release(self.cloud, self.app, pair.canary.newest.revision, "candidate")
        return TrafficSplit(stable, candidate, read_percent(self.cloud, self.app, pair.group))

    def _send(self, pair: ServicePair, percent: int) -> None:
        send_share(self.cloud, self.app, pair.group, percent, sticky=self.project.app.keeps_sessions)

    def _scale(self, pair: ServicePair, count: int, monitor: Monitor) -> None:
        """Run so many tasks of the canary, and return once they are healthy."""
        monitor.progress(Progress("", f"scaling the canary to {count}"))
        rollout = self._rollout(pair.canary.newest.revision, monitor, CANARY)
        if pair.canary.desired != count:
            name = service_name(self.app, CANARY)
            self.cloud.ecs.update_service(cluster=resource_name(self.app), service=name, desiredCount=count)
        rollout.watch()

    def _roll_out(self, pair: ServicePair, monitor: Monitor) -> None:
        """Give the serving service the canary's revision. A service that was stopped gets it without a task."""
        before, revision = read_percent(self.cloud, self.app, pair.group), pair.canary.newest.revision
        if pair.stable.desired:
            self._scale(pair, pair.stable.desired, monitor)
            self._send(pair, WHOLE)
        rollout = self._rollout(revision, monitor)
        changes: ServiceChanges = {"taskDefinition": revision}
        if pair.stable.newest.revision == revision:
            changes = {"forceNewDeployment": True} if pair.stable.newest.state == "FAILED" else {}
        apply_changes(self.cloud, self.app, changes, pair.stable, pair.stable.grace)
        monitor.progress(Progress("", "rolling out the canary's version"))
        try:
            rollout.watch()
        except VerdictError:
            self._send(pair, round(before))
            raise
        keep_candidate(self.cloud, revision)
        set_state(self.cloud, pair.group, PROMOTED)

    def _rollout(self, revision: str, monitor: Monitor, purpose: str = "") -> ServiceRollout:
        limit = self.settings.rollout_timeout
        rollout = ServiceRollout(self.cloud, self.project, revision, monitor, limit, purpose)
        rollout.disregard_the_past()
        return rollout
