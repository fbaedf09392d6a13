"""An app on Container Apps from its first version to its last, in real containers."""

from __future__ import annotations

import pytest

from mldeploy.app.client import AppClient
from mldeploy.project.golden import Json
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.provider import provider
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.life import RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.promises import Promise
from mldeploy.testing.sample import ROUTE
from tests.azure.containerapps.test_conformance import neighbours
from tests.azure.harness import AzureStage
from tests.sampled import Sampled


@pytest.mark.engine
class TestALife(Sampled, RolloutSuite, ZeroDowntimeSuite, CanarySuite):
    """Each version is a revision; apps answer HTTPS, certified by the rehearsal's authority."""

    target = "containerapps"
    unsupported = frozenset({Promise.EXEC})

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[ContainerAppsCloud, ContainerAppsSettings]:
        settings = ContainerAppsSettings.model_validate({"min": 1})
        return AzureStage(provider, settings, alive_for_all, neighbours)

    @pytest.fixture(autouse=True)
    def _trust(self, alive_for_all: AzureRehearsal) -> None:
        self.bundle = alive_for_all.endpoints.ca_bundle

    def ask(self, url: str) -> Json:
        with AppClient(url, self.bundle) as client:
            return client.predict(ROUTE, {})
