"""Two versions of an app in a cluster of GKE's: the steps and the traffic are those of any cluster."""

from __future__ import annotations

import pytest

from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.canary import CanarySuite
from tests.gcp.gke.test_conformance import GkeStage, strangers
from tests.gcp.gke.test_life import lively as lively  # noqa: PLC0414 - the fixture
from tests.gcp.harness import granted_by
from tests.sampled import Sampled


@pytest.mark.engine
@pytest.mark.exhaustive
class TestGke(Sampled, CanarySuite):
    """What runs on every change stands in tests/kubernetes."""

    target = "gke"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: GcpRehearsal) -> GkeStage:
        return GkeStage(provider, GkeSettings.model_validate({}), lively, strangers, granted_by(DEPLOY_PERMISSIONS))
