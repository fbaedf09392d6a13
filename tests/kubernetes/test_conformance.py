"""The target `kubernetes` passes what every provider must pass; its pods answer without a container behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.secrets import SecretConformance
from mldeploy.testing.suite import Conformance
from tests.kubernetes.stand_in import StandIn
from tests.tiny import project_of


@pytest.mark.engine
class TestKubernetes(Conformance):
    """In a namespace of the app's own, with autoscaling, at an address from outside."""

    target = "kubernetes"
    few = 2

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({"max": 2}), quick)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)


@pytest.mark.engine
class TestSecrets(SecretConformance):
    """The app's secrets are Secrets in its namespace."""

    target = "kubernetes"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: KubernetesRehearsal) -> StandIn:
        return StandIn(provider, KubernetesSettings.model_validate({}), quick)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
