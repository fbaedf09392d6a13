"""Secrets in the app's key vault, on both targets that run apps; what the conformance suites cannot ask."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.app.client import AppClient
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode
from mldeploy.project.golden import Json
from mldeploy.providers.azure.containerapps.provider import provider as containerapps
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import AzureDeniedError
from mldeploy.providers.azure.keyvault import secrets as vault_secrets
from mldeploy.providers.azure.keyvault.vault import describe_vault
from mldeploy.providers.azure.tags import derive_vault_name
from mldeploy.providers.azure.webapp.provider import provider as webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.sample import ROUTE
from mldeploy.testing.secrets import CHANGED, NAME, VALUE, SecretArrivalSuite, SecretConformance
from tests.azure.containerapps.test_conformance import neighbours
from tests.azure.harness import ROLE, AzureHarness, AzureStage, on_containerapps, on_webapp, policy_of
from tests.rehearsal.azure.clients import Clients
from tests.sampled import Sampled
from tests.tiny import project_of

READ = "Microsoft.KeyVault/vaults/read"
OnTarget = Callable[[AzureRehearsal, Project, Path], AzureHarness]


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


@pytest.mark.engine
@pytest.mark.parametrize("on", [on_webapp, on_containerapps])
def test_an_owner_without_a_role_in_the_vault_gets_it_for_this_vault_alone(
    rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path, on: OnTarget
) -> None:
    """An Owner may not read secrets; somebody else without the role is told which one."""
    harness = on(rehearsal, project_of(tiny), tmp_path / "state")
    harness.scene.set_secret(NAME, VALUE)
    roles = [each.name for each in rehearsal.contents() if each.kind == ROLE]
    assert len(roles) == 1
    assert harness.scene.secrets.read(NAME) == Secret(VALUE)
    harness.deploy()
    assert VALUE not in str(harness.heard)
    assert not any(VALUE in path.read_text() for path in harness.scene.journals)
    rehearsal.restrict({"roles": []})
    with pytest.raises(AzureDeniedError) as denied:
        harness.scene.secrets.list()
    assert denied.value.exit_code is ExitCode.ACCESS
    rehearsal.reset()


@pytest.mark.engine
def test_an_app_that_was_removed_can_have_secrets_again(rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path) -> None:
    """Also where somebody has deleted its vault by hand, and not purged it."""
    harness = on_webapp(rehearsal, project_of(tiny), tmp_path / "state")
    harness.scene.set_secret(NAME, VALUE)
    assert harness.scene.destroy().removed
    assert rehearsal.contents() == ()
    harness.scene.set_secret(NAME, VALUE)
    cloud = harness.cloud
    vault = describe_vault(cloud)
    assert vault is not None
    cloud.vaults.vaults.delete(cloud.group, vault.name)
    assert harness.scene.secrets.list() == ()
    harness.scene.set_secret(NAME, CHANGED)
    assert harness.scene.secrets.read(NAME) == Secret(CHANGED)
    harness.scene.destroy()
    assert rehearsal.contents() == ()


@pytest.mark.engine
def test_with_a_role_of_an_earlier_version_an_app_without_secrets_is_deployed(
    rehearsal: AzureRehearsal, tiny: Path, tmp_path: Path
) -> None:
    harness = on_webapp(rehearsal, project_of(tiny), tmp_path / "state")
    policy = json.dumps(policy_of(harness.provider, harness.cloud))
    rehearsal.restrict(json.loads(policy.replace(f'"{READ}", ', "")))
    harness.deploy()
    assert any(READ in note for note in harness.notes)
    rehearsal.reset()


@pytest.mark.parametrize("app", ["insurance", "a", "9-lives", "an-app-with-a-rather-long-name", "a--b"])
def test_a_vault_has_a_valid_name(app: str) -> None:
    """https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"""
    names = {derive_vault_name(target, app, "subscription") for target in ("webapp", "containerapps")}
    assert len(names) == 2
    for name in names:
        assert re.fullmatch(r"(?=.{3,24}\Z)[a-z](?!.*--)[a-z0-9-]*[a-z0-9]", name)


@pytest.mark.engine
class SecretsArriveOnAzure(Sampled, SecretArrivalSuite):
    """From the app's key vault."""

    @pytest.fixture(autouse=True)
    def _trust(self, alive_for_all: AzureRehearsal) -> None:
        self.bundle = alive_for_all.endpoints.ca_bundle

    def ask(self, url: str) -> Json:
        with AppClient(url, self.bundle) as client:
            return client.predict(ROUTE, {})


@pytest.mark.exhaustive
class TestSecretsArriveOnWebapp(SecretsArriveOnAzure):
    """App Service reads the references when it starts the containers."""

    target = "webapp"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[Any, WebappSettings]:
        return AzureStage(webapp, WebappSettings.model_validate({}), alive_for_all, with_vaults)


@pytest.mark.exhaustive
class TestSecretsArriveOnContainerApps(SecretsArriveOnAzure):
    """Container Apps reads them when it takes the app."""

    target = "containerapps"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[Any, ContainerAppsSettings]:
        settings = ContainerAppsSettings.model_validate({"min": 1})
        return AzureStage(containerapps, settings, alive_for_all, with_vaults)
