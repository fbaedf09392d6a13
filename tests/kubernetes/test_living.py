"""An app in a cluster from its first version to its last, in real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.testing.life import Living
from mldeploy.testing.load import Gapless
from mldeploy.testing.sample import SampleApp, sample_app
from tests.kubernetes.stand_in import StandIn
from tests.rehearsal.available import require_registry

BASE = "mldeploy/python:3.11-slim"


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """One whose pods are containers."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place") as rehearsal:
        yield rehearsal


@pytest.mark.engine
@pytest.mark.exhaustive
class TestKubernetes(Living, Gapless):
    """What every provider must pass. What runs on every change stands in tests/targets."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({}), lively)

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleApp]:
        with sample_app(tmp_path_factory.mktemp("sample") / "app", BASE) as app:
            yield app
