"""A rehearsal of Azure for each process of the test run, as new as a subscription before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.rehearsal.azure import AzureRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.azure.clients import Clients


@pytest.fixture(scope="session")
def _azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "azure", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def _azure_alive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal-alive") / "azure") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(_azure: AzureRehearsal) -> AzureRehearsal:
    """Without containers."""
    _azure.reset()
    return _azure


@pytest.fixture
def azure(rehearsal: AzureRehearsal) -> Clients:
    return Clients(rehearsal)


@pytest.fixture
def alive(_azure_alive: AzureRehearsal) -> Clients:
    """One whose sites are containers."""
    _azure_alive.reset()
    return Clients(_azure_alive)
