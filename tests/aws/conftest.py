"""The command line beside nothing of AWS: no credentials, no region, no files of its tools."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.aws.harness import EcrHarness
from tests.cli.command import Command
from tests.rehearsal.available import require_registry
from tests.tiny import nobodys

ELSEWHERE = "http://127.0.0.1:9"
"""Nothing listens there (discard)."""


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may well have an account."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws" / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", ELSEWHERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that can be pushed as far as its files can tell."""
    return nobodys(tmp_path / "app")


@pytest.fixture
def mldeploy(tmp_path: Path, folder: Path) -> Command:
    return Command(tmp_path / "home", folder)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One for each process of the test run; starting it takes a second or two."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "aws") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(running: Rehearsal) -> Iterator[Rehearsal]:
    """Shared by all tests, which have names of their own in it: a reset takes longer than most of them."""
    yield running
    running.faults.clear()


@pytest.fixture
def harness(own: Path, rehearsal: Rehearsal, tmp_path: Path) -> EcrHarness:
    """An app of one test's own."""
    return EcrHarness(own, rehearsal, tmp_path / "state")


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One of its own for each process of the test run."""
    with rehearsing(tmp_path_factory.mktemp("fargate") / "aws", containers=False) as rehearsal:
        yield rehearsal
