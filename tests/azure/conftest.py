"""Fixtures for the Azure tests: an environment without credentials, and the rehearsals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.azure import AzureRehearsal, rehearsing
from tests.cli.command import Command
from tests.rehearsal.available import require_registry
from tests.rehearsal.azure.clients import Clients
from tests.tiny import nobodys

ELSEWHERE = "http://127.0.0.1:9"
"""Nothing listens there (discard)."""
SLOW = 0.8
"""Duration of long-running operations in the slow rehearsal, in seconds."""


@pytest.fixture(autouse=True)
def _without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the credentials of the user who runs the tests."""
    for name in os.environ:
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure-config"))
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", ELSEWHERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder that is valid for a push."""
    return nobodys(tmp_path / "app")


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    """One rehearsal per test process, whose sites are not containers. It takes a second or two to start."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "azure", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def _slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    folder = tmp_path_factory.mktemp("rehearsal-slow") / "azure"
    with rehearsing(folder, containers=False, pace=SLOW) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def alive_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal-alive") / "azure") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(running: AzureRehearsal) -> Iterator[AzureRehearsal]:
    """The shared rehearsal, reset to an empty subscription for each test."""
    running.reset()
    yield running
    running.faults.clear()


@pytest.fixture
def slow(_slow: AzureRehearsal) -> Iterator[AzureRehearsal]:
    """A rehearsal with slow long-running operations."""
    _slow.reset()
    yield _slow
    _slow.faults.clear()


@pytest.fixture
def alive(alive_for_all: AzureRehearsal) -> AzureRehearsal:
    """A rehearsal whose sites are containers."""
    alive_for_all.reset()
    return alive_for_all


@pytest.fixture
def others(rehearsal: AzureRehearsal) -> Clients:
    """SDK clients of another user in the same subscription."""
    return Clients(rehearsal)
