"""A machine of its own for each test: no settings but the test's, an engine that says what it is told to say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.fake_engine import FakeEngine
from tests.doctor.harness import Patient
from tests.doctor.patience import be_patient
from tests.doctor.servers import Authority, Server

MINE = ("DOCKER_", "MLDEPLOY_", "PIP_", "UV_", "XDG_", "SSL_", "CURL_", "REQUESTS_", "NODE_")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user who has set nothing."""
    for name in os.environ:
        if name.startswith(MINE) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    for folder in (home, home / "run", home / ".docker", home / "tmp"):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/nobody.sock")
    return home


@pytest.fixture(autouse=True)
def limits() -> Iterator[pytest.MonkeyPatch]:
    """What a slow machine takes long for is not given up, unless the test is about that (`impatient`)."""
    with pytest.MonkeyPatch.context() as patch:
        be_patient(patch.setattr)
        yield patch


@pytest.fixture
def impatient(limits: pytest.MonkeyPatch) -> None:
    """The time limits that users have."""
    limits.undo()


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient.made(tmp_path / "app")


@pytest.fixture
def engine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with FakeEngine(machine / "engine.sock") as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.endpoint)
        yield engine


@pytest.fixture
def index() -> Iterator[Server]:
    """A package index that has everything."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority") / "own")
