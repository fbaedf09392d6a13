"""A rehearsal of Docker Hub for each process of the test run, as new as an account before each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mldeploy.rehearsal.dockerhub import HubRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.dockerhub.clients import Clients


@pytest.fixture(scope="session")
def _hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "dockerhub") as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(_hub: HubRehearsal) -> HubRehearsal:
    _hub.reset()
    return _hub


@pytest.fixture
def hub(rehearsal: HubRehearsal) -> Iterator[Clients]:
    with closing(Clients(rehearsal)) as clients:
        yield clients
