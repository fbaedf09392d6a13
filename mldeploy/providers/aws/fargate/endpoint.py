"""The last step: the app answers at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.causes import FailureDiagnosis
from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate import balancer, targets
from mldeploy.providers.aws.fargate.autoscaling import ServiceAutoscaling
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.domain import DomainRecord
from mldeploy.providers.aws.fargate.errors import translate_errors
from mldeploy.providers.aws.fargate.firewall import ClosedPorts
from mldeploy.providers.aws.fargate.service import EcsService, RunningService
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tasks import find_url
from mldeploy.providers.aws.fargate.verdict import unreachable_verdict
from mldeploy.providers.base import SILENT, Address

ASK_EVERY = 0.5
ASK_SECONDS = HEALTH_SECONDS
ANSWER_SECONDS = 60.0
"""A task that is healthy from inside answers from outside as soon as the network has caught up."""


@translate_errors("ecs")
@dataclass(frozen=True, eq=False)
class FargateEndpoint(Step[FargateCloud, Address]):
    """The app answers at its URL, from here."""

    kind: ClassVar[str] = "fargate-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: FargateSettings
    service: EcsService
    ports: ClosedPorts
    scaling: ServiceAutoscaling | None = None
    record: DomainRecord | None = None
    """Leads from the domain to the load balancer, where mldeploy gets the certificate."""

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Address] | None:
        """Asks the health path. What has just begun to serve has not answered before this deployment."""
        running = outs.get(self.service)
        if running is None or running.is_new:
            return None
        url = find_url(cloud, self.project.app.name, self.settings.domain)
        out = self._build_address(url, running)
        if not url:
            return Seen(out, ("has no address → has one",))
        if running.was_changed:
            return Seen(out, ("answered by the old tasks → by the new ones",))
        failure = self._probe_url(url)
        if failure is None or self._is_healthy_in_balancer(cloud):
            return Seen(self._build_address(url, running, self._build_remark(cloud, failure, outs)))
        return Seen(out, (SILENT,))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not answer although its task is healthy."""
        failure: AnswerError | None = None
        url = ""
        for _ in monitor.attempts(every=ASK_EVERY, within=ANSWER_SECONDS):
            url = find_url(cloud, self.project.app.name, self.settings.domain)
            monitor.progress(Progress("", f"asking {url}" if url else "waiting for an address"))
            failure = self._probe_url(url) if url else None
            if url and (failure is None or self._is_healthy_in_balancer(cloud)):
                return self._build_address(url, outs[self.service], self._build_remark(cloud, failure, outs))
        if failure is None:
            todo = "Deploy again; if it stays, see that the subnets are public ones."
            raise VerdictError(self.project.app.name, FailureDiagnosis("its tasks have no public address", todo))
        raise unreachable_verdict(url, failure.what)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """The URL goes with what answers there."""
        return False

    def _probe_url(self, url: str) -> AnswerError | None:
        with AppClient(url) as app:
            try:
                app.health(self.project.app.health, within=ASK_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _is_healthy_in_balancer(self, cloud: FargateCloud) -> bool:
        """With a host name of the user's own the load balancer's word counts: the name may lead there only later."""
        return bool(self.settings.domain) and targets.has_healthy_target(cloud, self.project.app.name)

    def _build_remark(self, cloud: FargateCloud, failure: AnswerError | None, outs: Outputs) -> str:
        load_balancer = balancer.find_balancer(cloud, self.project.app.name) if failure else None
        if load_balancer is None:
            return ""
        if self.record and outs.get(self.record):
            return f"{self.settings.domain} leads there; it takes minutes until all DNS servers know it"
        return f"{self.settings.domain} does not lead there yet: let it be a CNAME of {load_balancer['DNSName']}"

    def _build_address(self, url: str, running: RunningService, remark: str = "") -> Address:
        image = running.image or Image(running.revision, "", "", 0, ())
        moved = f"moved here from {running.before}" if running.before not in ("", url) else ""
        return Address(url, image, tuple(filter(None, (moved, remark))))
