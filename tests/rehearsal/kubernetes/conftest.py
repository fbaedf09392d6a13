"""Rehearsed clusters, one per test process, reset before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.kubernetes.cluster import Cluster


@pytest.fixture(scope="session")
def _fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("fake") / "kubernetes", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("real") / "kubernetes") as rehearsal:
        yield rehearsal


@pytest.fixture
def cluster(_fake: KubernetesRehearsal) -> Iterator[Cluster]:
    """A cluster with fake containers."""
    _fake.reset()
    with Cluster.of(_fake) as made:
        yield made


@pytest.fixture
def real(_real: KubernetesRehearsal) -> Iterator[Cluster]:
    """A cluster with real containers."""
    _real.reset()
    with Cluster.of(_real) as made:
        yield made
    _real.reset()
