"""A stand-in whose tasks need no engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.rehearsal.aws import Rehearsal, rehearsing


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One of its own for each process of the test run."""
    with rehearsing(tmp_path_factory.mktemp("fargate") / "aws", containers=False) as rehearsal:
        yield rehearsal
