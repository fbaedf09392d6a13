"""The last steps: who may send requests, and the app responds at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import AnswerError
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.base import SILENT, Address
from mldeploy.providers.gcp.cloudrun.asking import find_health_error, open_client
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.invoker import INVOKER, is_public, set_public
from mldeploy.providers.gcp.cloudrun.service import CloudRunService, RunningRevision
from mldeploy.providers.gcp.cloudrun.services import describe_service
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings

POLL_SECONDS = 1.0
PUBLIC_SECONDS = 300.0
"""So long a change of a policy may take: https://cloud.google.com/iam/docs/access-change-propagation"""


@dataclass(frozen=True, eq=False)
class InvokerPolicy(Step[CloudRunCloud, None]):
    """Everybody may send requests, or only callers with the role. It comes after the first version's trial."""

    kind: ClassVar[str] = "cloudrun-invoker"
    title: ClassVar[str] = "Set who may send requests"

    public: bool
    service: CloudRunService

    def key(self) -> Key:
        return self.service.key()

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[None] | None:
        if outs.get(self.service) is None:
            return None
        if is_public(cloud) == self.public:
            return Seen(None)
        return Seen(None, ("not public → public" if self.public else "public → callers with a permission",))

    def apply(self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        """Raises PublicAccessError if a policy of the organization forbids it."""
        set_public(cloud, monitor, public=self.public)

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        """Close the service. Its policy is deleted with it."""
        service = describe_service(cloud)
        if service is None or service.missing_labels or not is_public(cloud):
            return False
        set_public(cloud, monitor, public=False)
        return True


@dataclass(frozen=True, eq=False)
class CloudRunEndpoint(Step[CloudRunCloud, Address]):
    """The app responds at its URL."""

    kind: ClassVar[str] = "cloudrun-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: CloudRunSettings
    service: CloudRunService
    invoker: InvokerPolicy

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: CloudRunCloud, outs: Outputs) -> Seen[Address] | None:
        """Request the health path, unless the service is new in this deployment. It may start an instance."""
        running = outs.get(self.service)
        if running is None or running.is_new:
            return None
        if running.was_changed:
            return Seen(self._address(running), ("switched to the new version",))
        return Seen(self._address(running), () if self._find_error(cloud, running) is None else (SILENT,))

    def apply(self, cloud: CloudRunCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not respond although the version passed its trial."""
        running = outs[self.service]
        failure: AnswerError | None = None
        for _ in monitor.attempts(every=POLL_SECONDS, within=PUBLIC_SECONDS):
            monitor.progress(Progress("", f"checking {running.url}"))
            failure = self._find_error(cloud, running)
            if failure is None:
                return self._address(running)
        todo = "See `mldeploy logs --target cloudrun` and `mldeploy status --target cloudrun`."
        cause = f"does not respond: {failure.what if failure else 'no request was sent'}"
        raise VerdictError(running.url, FailureDiagnosis(cause, todo, About.HEALTH))

    @staticmethod
    def undo(cloud: CloudRunCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: the URL is deleted with the service."""
        return False

    def _find_error(self, cloud: CloudRunCloud, running: RunningRevision) -> AnswerError | None:
        with open_client(cloud, running.url, running.url, public=self.settings.is_open(self.project)) as client:
            return find_health_error(client, self.project.app.health)

    def _address(self, running: RunningRevision) -> Address:
        remarks = []
        if running.cold_start is not None:
            remarks.append(f"a new instance starts in {running.cold_start:g} s (measured by Cloud Run)")
        if not self.settings.is_open(self.project):
            remarks.append(f"not public: callers need {INVOKER} and an identity token")
        gap = 0.0 if running.was_changed and not running.is_new else None
        return Address(running.url, running.image or Image("", "", "", 0, ()), tuple(remarks), gap)
