"""The process that plays Google Cloud: in the background, and gone without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.rehearsal.standins import for_target, named
from tests.rehearsal.available import require_registry
from tests.rehearsal.gcp.clients import Clients

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    require_registry()
    yield tmp_path
    named("gcp").down(tmp_path)


def test_every_target_of_the_cloud_meets_the_same_one(state: Path) -> None:
    standing = [for_target(target, state) for target in ("gar", "gcr", "gke")]
    assert {each.cloud for each in standing} == {"Google Cloud"}
    assert len({each.url for each in standing}) == 1
    place = named("gcp").running(state)
    assert place is not None
    google = Clients(GcpRehearsal(place))
    google.repository()
    google.channel.close()
    google.session.close()
    assert named("gcp").down(state)
    assert list(state.iterdir()) == []
