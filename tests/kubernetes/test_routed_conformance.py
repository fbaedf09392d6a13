"""The target `kubernetes` passes what every provider must pass where a Gateway of somebody else leads to the app."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.testing.suite import Conformance
from tests.kubernetes.stand_in import StandIn
from tests.rehearsal.available import require_registry
from tests.rehearsal.kubernetes.cluster import GATEWAYS, Cluster
from tests.tiny import project_of

SETTINGS = {"ingress": "gateway", "gateway": "infra/public", "domain": "insurance.example.com"}


@dataclass(frozen=True)
class Routed(StandIn):
    """Beside another app of ours, and with a Gateway that everybody may use."""

    def add_foreign(self) -> None:
        super().add_foreign()
        listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        public = {"metadata": {"name": "public"}, "spec": {"gatewayClassName": "nginx", "listeners": [listener]}}
        with Cluster.of(self.rehearsal) as cluster:
            cluster.create_space("infra")
            cluster.ask("POST", f"{GATEWAYS}/namespaces/infra/gateways", public)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """Its pods answer without a container behind them."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place", containers=False) as rehearsal:
        yield rehearsal


@pytest.mark.engine
class TestRouted(Conformance):
    """What runs on every change is little: the suite itself stands in test_conformance."""

    target = "kubernetes"
    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: KubernetesRehearsal) -> Routed:
        return Routed(provider, KubernetesSettings.model_validate(SETTINGS), quick)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
