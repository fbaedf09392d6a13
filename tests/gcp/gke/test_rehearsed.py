"""The target `gke` passes the same on the clusters that its own rehearsal plays, whose pods here are no containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from mldeploy.testing.suite import Conformance
from tests.aws.tiny import project_of
from tests.gcp.gke.test_conformance import GkeStage, strangers
from tests.rehearsal.available import require_registry


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("quick") / "gcp", containers=False) as rehearsal:
        yield rehearsal


@pytest.mark.engine
class TestGkeRehearsed(Conformance):
    """API server, controllers and nodes are the stand-in's. Another suite tries every crash with clusters on paper."""

    few = 1
    test_a_crash_at_every_call = test_a_fault_at_every_call = test_a_missing_permission_at_every_call = None  # type: ignore[assignment]

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: GcpRehearsal) -> GkeStage:
        return GkeStage(provider, GkeSettings.model_validate({}), quick, strangers)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
