"""Secrets in the app's key vault, on both targets that run apps; what the conformance suites cannot ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.azure.containerapps.provider import provider as containerapps
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.keyvault import secrets as vault_secrets
from mldeploy.providers.azure.webapp.provider import provider as webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.secrets import SecretConformance
from tests.azure.containerapps.test_conformance import neighbours
from tests.azure.harness import AzureStage
from tests.rehearsal.azure.clients import Clients
from tests.tiny import project_of

READ = "Microsoft.KeyVault/vaults/read"


def with_vaults(clients: Clients) -> None:
    """What the others of the Azure tests have, in a subscription that has used key vaults before."""
    neighbours(clients)
    clients.resources.providers.register("Microsoft.KeyVault")


@pytest.mark.engine
class SecretsOnAzure(SecretConformance):
    """The caller has exactly what `mldeploy policy` prints."""

    few = 3

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _impatience(cls) -> Iterator[None]:
        """A role that is never granted is not awaited for ten minutes."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vault_secrets, "ROLE_SECONDS", 2.0)
            patch.setattr(vault_secrets, "ROLE_EVERY", 0.5)
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)


class TestSecretsOnWebapp(SecretsOnAzure):
    """App settings that reference the vault."""

    target = "webapp"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[Any, WebappSettings]:
        return AzureStage(webapp, WebappSettings.model_validate({}), running, with_vaults, project)


class TestSecretsOnContainerApps(SecretsOnAzure):
    """Secrets of the app that reference the vault."""

    target = "containerapps"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: AzureRehearsal, project: Project) -> AzureStage[Any, ContainerAppsSettings]:
        return AzureStage(containerapps, ContainerAppsSettings.model_validate({}), running, with_vaults, project)
