"""An app on App Service from its first version to its last, in real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.app.client import AppClient
from mldeploy.project.golden import Json
from mldeploy.providers.azure.webapp import rollout
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.provider import provider
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.life import LifeSuite, RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.promises import Promise
from mldeploy.testing.sample import ROUTE
from tests.azure.harness import AzureStage
from tests.azure.test_conformance import strangers
from tests.sampled import Sampled


def staged(rehearsal: AzureRehearsal, **settings: object) -> AzureStage[WebappCloud, WebappSettings]:
    return AzureStage(provider, WebappSettings.model_validate(settings), rehearsal, strangers)


class OnAppService(Sampled, LifeSuite):
    """Sites answer HTTPS, certified by the rehearsal's authority. A container has no memory limit of its own."""

    target = "webapp"
    unsupported = frozenset({Promise.EXEC})

    @pytest.fixture(autouse=True)
    def _trust(self, alive_for_all: AzureRehearsal) -> None:
        self.bundle = alive_for_all.endpoints.ca_bundle

    def ask(self, url: str) -> Json:
        with AppClient(url, self.bundle) as client:
            return client.predict(ROUTE, {})


@pytest.mark.engine
class TestInPlace(OnAppService, RolloutSuite):
    """A size without slots."""

    sized = False

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[WebappCloud, WebappSettings]:
        return staged(alive_for_all)


@pytest.mark.engine
class TestThroughASlot(OnAppService, ZeroDowntimeSuite):
    """A size with them: nobody notices a new version."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _patience(cls) -> Iterator[None]:
        """A slow machine may need longer for a request to the old version than App Service does."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rollout, "DRAIN_SECONDS", 15.0)
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[WebappCloud, WebappSettings]:
        return staged(alive_for_all, sku="S1")


@pytest.mark.engine
class TestCanaryInASlot(OnAppService, CanarySuite):
    """A candidate in a slot of its own, and a rule that gives it a share of the requests."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, alive_for_all: AzureRehearsal) -> AzureStage[WebappCloud, WebappSettings]:
        return staged(alive_for_all, sku="S1")


@pytest.mark.engine
@pytest.mark.exhaustive
class TestALifeThroughASlot(TestThroughASlot, RolloutSuite):
    """What goes for the others goes there, too."""

    sized = False
