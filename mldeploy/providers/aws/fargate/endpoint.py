"""The last step: the app answers at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.running.causes import About, Diagnosis
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.types import Image
from mldeploy.providers.aws.fargate import balancer, targets
from mldeploy.providers.aws.fargate.addresses import url_of
from mldeploy.providers.aws.fargate.answers import speaking_to
from mldeploy.providers.aws.fargate.autoscaling import Autoscaling
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.ports import ClosedPorts
from mldeploy.providers.aws.fargate.service import Running, Service
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.base import Address

ASK_EVERY = 0.5
ANSWER_SECONDS = 60.0
"""A task that is healthy from inside answers from outside as soon as the network has caught up."""


@speaking_to("ecs")
@dataclass(frozen=True, eq=False)
class FargateEndpoint(Step[FargateCloud, Address]):
    """The app answers at its URL, from here."""

    kind: ClassVar[str] = "fargate-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: FargateSettings
    service: Service
    ports: ClosedPorts
    scaling: Autoscaling | None = None

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Address] | None:
        """Asks the health path. What has just begun to serve has not answered before this deployment."""
        running = outs.get(self.service)
        if running is None or running.is_new:
            return None
        url = url_of(cloud, self.project.app.name, self.settings.domain)
        out = self._address(url, running)
        if not url:
            return Seen(out, ("has no address → has one",))
        if running.was_changed:
            return Seen(out, ("answered by the old tasks → by the new ones",))
        failure = self._failure(url)
        if failure is None or self._is_healthy_inside(cloud):
            return Seen(self._address(url, running, self._remark(cloud, failure)))
        return Seen(out, ("does not answer → answers",))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not answer although its task is healthy."""
        failure: AnswerError | None = None
        url = ""
        for _ in monitor.attempts(every=ASK_EVERY, within=ANSWER_SECONDS):
            url = url_of(cloud, self.project.app.name, self.settings.domain)
            monitor.progress(Progress("", f"asking {url}" if url else "waiting for an address"))
            failure = self._failure(url) if url else None
            if url and (failure is None or self._is_healthy_inside(cloud)):
                return self._address(url, outs[self.service], self._remark(cloud, failure))
        if failure is None:
            todo = "Deploy again; if it stays, see that the subnets are public ones."
            raise VerdictError(self.project.app.name, Diagnosis("its tasks have no public address", todo))
        todo = (
            "Its task is healthy, so something on the way holds it up: the route from the subnet to an internet "
            "gateway, a network ACL, `ingress_cidr`, or a firewall on this side."
        )
        raise VerdictError(url, Diagnosis(f"does not answer from here: {failure.what}", todo, About.PORT))

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """The URL goes with what answers there."""
        return False

    def _failure(self, url: str) -> AnswerError | None:
        with AppClient(url) as app:
            try:
                app.health(self.project.app.health)
            except AnswerError as error:
                return error
        return None

    def _is_healthy_inside(self, cloud: FargateCloud) -> bool:
        """With a host name of the user's own the load balancer's word counts: the name may lead there only later."""
        return bool(self.settings.domain) and targets.healthy(cloud, self.project.app.name)

    def _remark(self, cloud: FargateCloud, failure: AnswerError | None) -> str:
        found = balancer.find(cloud, self.project.app.name) if failure else None
        if found is None:
            return ""
        return f"{self.settings.domain} does not lead there yet: let it be a CNAME of {found['DNSName']}"

    def _address(self, url: str, running: Running, remark: str = "") -> Address:
        image = running.image or Image(running.revision, "", "", 0, ())
        moved = f"moved here from {running.before}" if running.before not in ("", url) else ""
        return Address(url, image, tuple(filter(None, (moved, remark))))
