"""Clusters that answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.gke.papers import on_paper
from tests.rehearsal.available import require_registry


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    """One for each process of the test run."""
    require_registry()
    with on_paper(tmp_path_factory.mktemp("papers") / "gcp") as rehearsal:
        yield rehearsal
