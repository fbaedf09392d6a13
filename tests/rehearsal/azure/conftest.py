"""A rehearsal of Azure for each process of the test run, as new as a subscription before each test."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import AzureRehearsal, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import PACE, Estate


@pytest.fixture(scope="session")
def _azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("rehearsal") / "azure", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture(scope="session")
def _azure_slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureRehearsal]:
    require_registry()
    folder = tmp_path_factory.mktemp("rehearsal-slow") / "azure"
    with rehearsing(folder, containers=False, pace=PACE) as rehearsal:
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
def azure(rehearsal: AzureRehearsal) -> Iterator[Clients]:
    with closing(Clients(rehearsal)) as clients:
        yield clients


@pytest.fixture
def alive(_azure_alive: AzureRehearsal) -> Iterator[Clients]:
    """One whose sites are containers."""
    _azure_alive.reset()
    with closing(Clients(_azure_alive)) as clients:
        yield clients


@pytest.fixture
def slow(_azure_slow: AzureRehearsal) -> Iterator[Clients]:
    """One in which what is long takes its time."""
    _azure_slow.reset()
    with closing(Clients(_azure_slow)) as clients:
        yield clients


@pytest.fixture(scope="session")
def scrap(engine: Engine) -> Iterator[str]:
    """An image that holds one file, for this process of the test run alone."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    name = f"mldeploy-test/scrap-{uuid.uuid4().hex[:10]}"
    engine.client.import_image_from_data(content.getvalue(), repository=name, tag="1")
    tag = f"{name}:1"
    yield tag
    engine.client.remove_image(tag)


@pytest.fixture
def estate(azure: Clients, engine: Engine, scrap: str) -> Estate:
    """All that a site needs, which may pull, without containers."""
    made = Estate.made(azure, engine, base=scrap)
    made.assign()
    return made
