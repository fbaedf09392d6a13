"""Rehearsals of a cluster for each process of the test run, as new before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.kubernetes.cluster import Cluster


@pytest.fixture(scope="session")
def _paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("paper") / "kubernetes", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("real") / "kubernetes") as rehearsal:
        yield rehearsal


@pytest.fixture
def cluster(_paper: KubernetesRehearsal) -> Iterator[Cluster]:
    """Its Pods are paper."""
    _paper.reset()
    with Cluster.of(_paper) as made:
        yield made


@pytest.fixture
def real(_real: KubernetesRehearsal) -> Iterator[Cluster]:
    """Its Pods are containers."""
    _real.reset()
    with Cluster.of(_real) as made:
        yield made
    _real.reset()
