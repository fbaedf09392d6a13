"""The target `containerapps` passes what every provider must pass; its apps answer without a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.provider import provider
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.suite import Conformance
from tests.azure.harness import AzureStage
from tests.azure.test_conformance import VAULT_READ, strangers
from tests.rehearsal.azure.clients import Clients
from tests.tiny import project_of


def neighbours(clients: Clients) -> None:
    """What the others of the Azure tests have, in a subscription that has used Container Apps before."""
    strangers(clients)
    clients.resources.providers.register("Microsoft.App")


@pytest.mark.engine
class TestContainerApps(Conformance):
    """A case is a whole deployment and its removal: the quick tests try few."""

    target = "containerapps"
    few = 2

    def is_required(self, action: str) -> bool:
        """A deployment looks for the app's key vault, and goes on without the permission for that."""
        return action != VAULT_READ

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[ContainerAppsCloud, ContainerAppsSettings]:
        settings = ContainerAppsSettings.model_validate({})
        return AzureStage(provider, settings, running, neighbours, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)


@pytest.mark.exhaustive
class TestHarshContainerApps(TestContainerApps):
    """The same in a subscription where much comes late or fails at first."""

    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[ContainerAppsCloud, ContainerAppsSettings]:
        settings = ContainerAppsSettings.model_validate({})
        return AzureStage(provider, settings, running, neighbours, project, harsh=True)
