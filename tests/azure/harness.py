"""The harness of the Azure tests: an app and a target on the rehearsal, deployed in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core import verbs
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Event, Noted
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.azure.acr import provider as acr
from mldeploy.providers.azure.containerapps.provider import provider as containerapps
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.settings import AcrSettings
from mldeploy.providers.azure.webapp.provider import provider as webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.sites import SiteSlot, resolve_slot
from mldeploy.providers.capabilities import HasPolicy
from mldeploy.providers.registry import AnyProvider
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.rehearsal import RehearsalStage
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import ApiCall, CloudT, SettingsT
from tests.rehearsal.azure.clients import Clients


@dataclass
class AzureHarness:
    """A deployment on the rehearsal. heard: all events."""

    provider: AnyProvider
    settings: TargetSettings
    rehearsal: AzureRehearsal
    project: Project
    state: Path
    heard: list[Event] = field(default_factory=list)

    @property
    def scene(self) -> DeploymentUnderTest:
        return DeploymentUnderTest(self.provider, self.settings, self.rehearsal.endpoints, self.project, self.state)

    @property
    def cloud(self) -> Any:
        """New clients of the provider under test."""
        return self.provider.connect(self.project, self.settings, self.rehearsal.endpoints)

    @property
    def site_slot(self) -> SiteSlot:
        """The app's site."""
        cloud = self.cloud
        return resolve_slot(cloud, cloud.site_key)

    def deploy(self) -> verbs.Deployed[object]:
        scene, cloud = self.scene, self.cloud
        scope = Scope(self.project.app.name, self.provider.name, self.provider.place(cloud))
        with Journal(self.state, scope, "test") as journal:
            listening = Session(cloud, journal, Cancel(), self.heard.append)
            return verbs.deploy(scene.last, listening, sweep=self.provider.kinds)

    def fail(self) -> MldeployError:
        """Deploy and return the error of the first failed step."""
        with pytest.raises(DeploymentFailedError) as failed:
            self.deploy()
        error = failed.value.failures[0][1]
        assert isinstance(error, MldeployError), error
        return error

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Noted)]

    def count(self, action: str) -> int:
        """The number of calls of an action."""
        return Counter(call.action for call in self.rehearsal.calls())[action]

    def kinds(self) -> Counter[str]:
        """The number of resources by resource type."""
        return Counter(thing.kind for thing in self.rehearsal.contents())


def on_acr(rehearsal: AzureRehearsal, project: Project, state: Path, **settings: object) -> AzureHarness:
    return AzureHarness(acr, AcrSettings.model_validate(settings), rehearsal, project, state)


def on_webapp(rehearsal: AzureRehearsal, project: Project, state: Path, **settings: object) -> AzureHarness:
    return AzureHarness(webapp, WebappSettings.model_validate(settings), rehearsal, project, state)


def on_containerapps(rehearsal: AzureRehearsal, project: Project, state: Path, **settings: object) -> AzureHarness:
    return AzureHarness(containerapps, ContainerAppsSettings.model_validate(settings), rehearsal, project, state)


def policy_of(provider: AnyProvider, cloud: object) -> Mapping[str, object]:
    """What `mldeploy policy` prints."""
    assert isinstance(provider, HasPolicy)
    return provider.policy(cloud)


def restrict(
    rehearsal: AzureRehearsal, provider: AnyProvider, settings: TargetSettings, project: Project
) -> frozenset[str]:
    """Give the caller the roles that `mldeploy policy` prints, and no others. Returns their actions in lower case."""
    policy = policy_of(provider, provider.connect(project, settings, rehearsal.endpoints))
    rehearsal.restrict(policy)
    roles = cast("Sequence[Mapping[str, Any]]", policy["roles"])
    return frozenset(each.lower() for role in roles for each in (*role["Actions"], *role["DataActions"]))


METADATA = "Entra/openid-configuration"
VAULT = "Microsoft.KeyVault/vaults"
ROLE = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class AzureStage(RehearsalStage[CloudT, SettingsT, AzureRehearsal]):
    """Azure under test. strangers: creates resources of others with SDK clients.

    project: its caller has exactly the roles that `mldeploy policy` prints; None: the caller is an Owner. harsh: as a
    new subscription may meet Azure.
    """

    strangers: Callable[[Clients], None]
    project: Project | None = None
    harsh: bool = False

    def add_foreign(self) -> None:
        self.strangers(Clients(self.rehearsal))
        if self.harsh:
            self.rehearsal.be_harsh()
        if self.project is not None:
            restrict(self.rehearsal, self.provider, self.settings, self.project)

    def contents(self) -> Sequence[str]:
        """All resources. Role assignments without their names, which depend on ids that Azure chooses.

        Without those on a vault that is there: the caller gets a role on it once a request is denied, and keeps it.
        """
        things = self.rehearsal.contents()
        vaults = {each.name for each in things if each.kind == VAULT}
        scopes = (each.name.partition("/")[0] for each in things if each.kind == ROLE)
        roles = [f"{ROLE} {scope}" for scope in scopes if scope not in vaults]
        return [*roles, *(f"{each.kind} {each.name}" for each in things if each.kind != ROLE)]

    def calls(self) -> Sequence[ApiCall]:
        """All calls except the public metadata of Entra, which needs no permission."""
        return [call for call in super().calls() if call.action != METADATA]
