"""An app on Cloud Run from its first version to its last, in real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.app.client import AppClient
from mldeploy.project.golden import Json
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.permissions import RUN_PERMISSIONS
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from mldeploy.testing.life import RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.promises import Promise
from mldeploy.testing.sample import ROUTE
from tests.gcp.cloudrun.harness import make_strangers
from tests.gcp.harness import GcpStage, granted_by
from tests.rehearsal.available import require_registry
from tests.sampled import Sampled


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    """One whose instances are containers."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("cloudrun") / "gcp") as rehearsal:
        yield rehearsal


@pytest.mark.engine
class TestCloudRun(Sampled, RolloutSuite, ZeroDowntimeSuite):
    """What every provider must pass, and nobody notices a new version."""

    target = "cloudrun"
    unsupported = frozenset({Promise.EXEC})

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: GcpRehearsal) -> GcpStage[CloudRunCloud, CloudRunSettings]:
        settings = CloudRunSettings.model_validate({})
        return GcpStage(provider, settings, lively, make_strangers, granted_by(RUN_PERMISSIONS))

    @pytest.fixture(autouse=True)
    def _trust(self, lively: GcpRehearsal) -> None:
        self.bundle = lively.endpoints.ca_bundle

    def ask(self, url: str) -> Json:
        with AppClient(url, self.bundle) as client:
            return client.predict(ROUTE, {})
