"""Apps of next to nothing on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.providers.aws.fargate import endpoint
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.aws.fargate.harness import FargateApp
from tests.tiny import project_of


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """An app that a slow machine lets wait is not taken for one that does not answer: no test is about that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "ASK_SECONDS", 300.0)
        yield


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
