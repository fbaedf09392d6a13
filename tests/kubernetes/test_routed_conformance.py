"""The target `kubernetes` passes its suite behind somebody else's Gateway, and with the printed Role alone.

The Role is in a namespace of an administrator. The rehearsed API server evaluates it as a real one does.
"""

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
from tests.kubernetes.granting import Restricted, add_gateway
from tests.rehearsal.available import require_registry
from tests.tiny import project_of

SETTINGS = {"ingress": "gateway", "gateway": "infra/public", "domain": "insurance.example.com"}


@dataclass(frozen=True)
class Routed(Restricted):
    """Beside another app of ours, and with a Gateway that everybody may use."""

    def add_foreign(self) -> None:
        super().add_foreign()
        add_gateway(self.rehearsal)


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
    def stage(cls, quick: KubernetesRehearsal, tiny: Path) -> Routed:
        return Routed(provider, KubernetesSettings.model_validate(SETTINGS), quick, project_of(tiny).app.name)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
