"""A rehearsal for each process of the test run, as new as an account before each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.clients import Clients


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "aws") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(_running: Rehearsal) -> Rehearsal:
    _running.reset()
    return _running


@pytest.fixture
def aws(rehearsal: Rehearsal) -> Iterator[Clients]:
    with closing(Clients(rehearsal)) as clients:
        yield clients
