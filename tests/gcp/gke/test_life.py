"""An app on GKE from its first version to its last, in real containers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from mldeploy.testing.life import FIRST, AppLife, RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from tests.gcp.gke.test_conformance import GkeStage, strangers
from tests.gcp.harness import granted_by
from tests.rehearsal.available import require_registry
from tests.sampled import Sampled


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    """One whose pods are containers."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("gke") / "gcp") as rehearsal:
        yield rehearsal


@pytest.mark.engine
@pytest.mark.exhaustive
class TestGke(Sampled, RolloutSuite, ZeroDowntimeSuite):
    """What every provider must pass, and what is GKE's own. What runs on every change stands in tests/targets."""

    target = "gke"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: GcpRehearsal) -> GkeStage:
        return GkeStage(provider, GkeSettings.model_validate({}), lively, strangers, granted_by(DEPLOY_PERMISSIONS))

    def test_a_token_that_is_refused_before_its_time_is_renewed(self, life: AppLife, lively: GcpRehearsal) -> None:
        """In the cluster's API, too."""
        first = life.deploy(FIRST)
        service = life.service
        assert service.url() == first.url
        lively.expire_tokens()
        assert service.url() == first.url
        lively.expire_tokens()
        assert life.deploy(replace(FIRST, code="two")).url == first.url
        life.end()
