"""A rehearsal of Google Cloud for each process of the test run, as new as a project before each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.gcp.clients import Clients


@pytest.fixture(scope="session")
def _google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "gcp", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(_google: GcpRehearsal) -> GcpRehearsal:
    _google.reset()
    return _google


@pytest.fixture
def google(rehearsal: GcpRehearsal) -> Iterator[Clients]:
    with closing(Clients(rehearsal)) as clients:
        yield clients


@pytest.fixture
def image(google: Clients) -> str:
    """An image in the registry, by its digest. Nobody has built it."""
    google.repository()
    return google.push()


@pytest.fixture(scope="session")
def _google_slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal-slow") / "gcp", containers=False, pace=600) as rehearsal:
        yield rehearsal


@pytest.fixture
def slow(_google_slow: GcpRehearsal) -> Iterator[Clients]:
    """A project in which what takes its time is done at `hurry` alone."""
    _google_slow.reset()
    with closing(Clients(_google_slow)) as clients:
        yield clients
