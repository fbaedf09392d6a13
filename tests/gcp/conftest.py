"""Fixtures for the Google Cloud tests: an environment without credentials, and the rehearsal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from tests.cli.command import Command
from tests.gcp.others import Others
from tests.rehearsal.available import require_registry
from tests.tiny import nobodys

ELSEWHERE = "127.0.0.1:9"
"""Nothing listens there (discard)."""


@pytest.fixture(autouse=True)
def _without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the credentials of the user who runs the tests."""
    for name in os.environ:
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "GCE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("GCE_METADATA_HOST", ELSEWHERE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder that is valid for a push."""
    return nobodys(tmp_path / "app")


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    """One rehearsal per test process, without containers. It takes a second or two to start."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "gcp", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(running: GcpRehearsal) -> Iterator[GcpRehearsal]:
    """The shared rehearsal, reset to an empty project for each test."""
    running.reset()
    yield running
    running.faults.clear()


@pytest.fixture
def others(rehearsal: GcpRehearsal) -> Others:
    return Others(rehearsal)
