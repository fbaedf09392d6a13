"""The target `kubernetes` passes what every provider must pass; its pods answer without a container behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.testing.suite import Conformance
from tests.kubernetes.stand_in import StandIn
from tests.rehearsal.available import require_registry
from tests.tiny import project_of


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """One for each process of the test run."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place", containers=False) as rehearsal:
        yield rehearsal


@pytest.mark.engine
class TestKubernetes(Conformance):
    """In a namespace of the app's own, with autoscaling, at an address from outside."""

    few = 2

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({"max": 2}), quick)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
