"""Clusters on fake and rehearsed ones, a real registry, and nobody's kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.rehearsal.registry.program import RegistryProgram
from tests.kubernetes.fake.server import FakeCluster
from tests.kubernetes.harness import DeployHarness
from tests.rehearsal.available import require_registry
from tests.tiny import project_of


def address(part: int) -> str:
    """One of this machine's own, which no other process of the test run has."""
    number = os.getpid()
    return f"127.{part}.{number >> 8 & 0xFF}.{number & 0xFF}"


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may well have a cluster."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kube" / "config"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. Anybody may push there."""
    require_registry()
    place = f"{address(88)}:5000"
    program = RegistryProgram(tmp_path_factory.mktemp("registry"), place)
    yield place
    program.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Iterator[FakeCluster]:
    """One for each process of the test run."""
    fake = FakeCluster(tmp_path_factory.mktemp("fake"), address(89), registry)
    yield fake
    fake.close()


@pytest.fixture
def fake(running: FakeCluster) -> Iterator[FakeCluster]:
    """With nothing on it."""
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def harness(fake: FakeCluster, tiny: Path, tmp_path: Path) -> DeployHarness:
    """An app, and that cluster for it."""
    return DeployHarness(fake, project_of(tiny), tmp_path / "state")


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """A rehearsed cluster in its harsh mode, whose pods answer without a container behind them; one a process."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place", containers=False, harsh=True) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    """One whose pods are containers."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("kubernetes") / "place") as rehearsal:
        yield rehearsal
