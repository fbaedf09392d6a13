"""An app and its repository on Docker Hub, walked in this process, with everything that is told on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core import verbs
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Outputs
from mldeploy.providers.checks import Finding
from mldeploy.providers.dockerhub.checks import look
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.providers.dockerhub.repository import HubImage
from mldeploy.providers.registry import AnyProvider
from mldeploy.rehearsal.dockerhub import HubRehearsal
from tests.dockerhub.others import Others
from tests.shop import RegistryShop


@dataclass
class HubShop(RegistryShop):
    """credentials: others than the rehearsal's first ones."""

    provider: ClassVar[AnyProvider] = DockerHubProvider()
    rehearsal: HubRehearsal
    credentials: tuple[str, str] | None = None

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    @property
    def endpoints(self) -> Endpoints:
        found = self.rehearsal.endpoints
        if self.credentials is None:
            return found
        user, token = self.credentials
        return replace(found, credentials=(("username", Secret(user)), ("token", Secret(token))))

    @property
    def step(self) -> HubImage:
        """The last one."""
        return DockerHubProvider().push(self.project, self.settings)

    @property
    def nothing(self) -> Outputs:
        """What the repository's step needs."""
        return Outputs(self.step.repository, {})

    @property
    def monitor(self) -> Monitor:
        return Monitor(self.step.resource, self.heard.append, Cancel())

    def changes(self) -> dict[str, verbs.Change]:
        """What a push would do, by the step's kind."""
        return {each.resource.kind: each for each in self.plan().changes}

    def look(self) -> dict[str, Finding]:
        """What the doctor says, by subject."""
        return {each.subject: each for each in look(self.project, self.settings, self.endpoints)}
