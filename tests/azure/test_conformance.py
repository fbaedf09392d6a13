"""The targets `acr` and `webapp` pass what every provider must pass; their sites answer without a container."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.mgmt.msi.v2024_11_30.models import Identity
from azure.mgmt.resource.resources.models import ResourceGroup

from mldeploy.config.settings import Project
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import list_leftover_tags
from mldeploy.providers.azure.acr import provider as acr
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.settings import AcrSettings
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.provider import provider as webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.suite import Conformance
from tests.azure.harness import AzureStage
from tests.rehearsal.azure.clients import Clients
from tests.tiny import project_of

NAMESPACES = ("Microsoft.ContainerRegistry", "Microsoft.ManagedIdentity", "Microsoft.Web", "Microsoft.Insights")
VAULT_READ = "Microsoft.KeyVault/vaults/read"
ANOTHER = {"mldeploy.app": "another", "mldeploy.target": "webapp"}


def strangers(clients: Clients) -> None:
    """A group of another app's with an identity in it, and one of somebody who has never heard of mldeploy.

    They have used all kinds of resources before: what is registered once stays so, whoever is first to need it.
    """
    for each in NAMESPACES:
        clients.resources.providers.register(each)
    tags = {**ANOTHER, "mldeploy.target": "acr"}
    clients.resources.resource_groups.create_or_update(
        "mldeploy-another", ResourceGroup(location="westeurope", tags=tags)
    )
    clients.resources.resource_groups.create_or_update("stranger", ResourceGroup(location="northeurope"))
    identity = Identity(location="westeurope", tags=ANOTHER)
    clients.identities.user_assigned_identities.create_or_update("mldeploy-another", "mldeploy-another", identity)


@pytest.mark.engine
class TestAcr(Conformance):
    """A push, and what it stands on."""

    target = "acr"
    few = 3

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[AzureCloud, AcrSettings]:
        return AzureStage(acr, AcrSettings.model_validate({}), running, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    @pytest.fixture(autouse=True)
    def _leaves_no_name_on_the_engine(self, engine: Engine, project: Project) -> object:
        yield
        assert list_leftover_tags(engine, project.app.name) == ()


@pytest.mark.engine
class TestWebapp(Conformance):
    """A site that changes in place. A case is a whole deployment and its removal: the quick tests try few."""

    target = "webapp"
    few = 2

    def is_required(self, action: str) -> bool:
        """A deployment looks for the app's key vault, and goes on without the permission for that."""
        return action != VAULT_READ

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[WebappCloud, WebappSettings]:
        return AzureStage(webapp, WebappSettings.model_validate({}), running, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)


@pytest.mark.exhaustive
class TestHarshAcr(TestAcr):
    """The same in a subscription where much comes late or fails at first."""

    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[AzureCloud, AcrSettings]:
        return AzureStage(acr, AcrSettings.model_validate({}), running, strangers, project, harsh=True)


@pytest.mark.exhaustive
class TestHarshWebapp(TestWebapp):
    """The same in a subscription where much comes late or fails at first."""

    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[WebappCloud, WebappSettings]:
        return AzureStage(webapp, WebappSettings.model_validate({}), running, strangers, project, harsh=True)
