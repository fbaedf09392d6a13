"""Apps of next to nothing on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.aws.fargate.harness import FargateApp
from tests.tiny import project_of


@pytest.fixture
def app(quick: Rehearsal, tiny: Path, tmp_path: Path) -> Iterator[FargateApp]:
    """Alone in its account."""
    quick.reset()
    yield FargateApp(quick, project_of(tiny), tmp_path / "state")
    quick.reset()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A new account in a busy region."""
    with rehearsing(tmp_path_factory.mktemp("fresh") / "aws", containers=False, harsh=True) as rehearsal:
        yield rehearsal
