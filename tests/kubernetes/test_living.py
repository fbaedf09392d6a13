"""An app in a cluster from its first version to its last, in real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.life import Living
from mldeploy.testing.load import Gapless
from mldeploy.testing.sample import SampleApp, sample_app
from tests.kubernetes.stand_in import StandIn

BASE = "mldeploy/python:3.11-slim"


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
