"""The command line beside nothing of Docker Hub's: no variables, and no `docker login`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.dockerhub import HubRehearsal, rehearsing
from tests.cli.command import Command
from tests.dockerhub.harness import DirectHubClient, HubHarness
from tests.rehearsal.available import require_registry
from tests.tiny import nobodys


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may well have an account."""
    for name in os.environ:
        if name.startswith("DOCKERHUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that can be pushed as far as its files can tell."""
    return nobodys(tmp_path / "app")


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder).with_env(DOCKER_CONFIG=str(tmp_path / "docker"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubRehearsal]:
    """One for each process of the test run; starting it takes a second or two."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "dockerhub") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(running: HubRehearsal) -> HubRehearsal:
    """Shared by all tests; each begins with an account in which nothing is."""
    running.reset()
    return running


@pytest.fixture
def others(rehearsal: HubRehearsal) -> DirectHubClient:
    return DirectHubClient(rehearsal)


@pytest.fixture
def harness(tiny: Path, rehearsal: HubRehearsal, tmp_path: Path) -> HubHarness:
    """An app whose image is built already."""
    return HubHarness(tiny, rehearsal, tmp_path / "state")


@pytest.fixture
def changing(own: Path, rehearsal: HubRehearsal, tmp_path: Path) -> HubHarness:
    """An app of one test's own, which may change it."""
    return HubHarness(own, rehearsal, tmp_path / "state")
