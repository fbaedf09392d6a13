"""The background process of the Google Cloud stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mldeploy.cli.stand_ins import find_stand_in, start_for_target
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.rehearsal.available import require_registry
from tests.rehearsal.gcp.clients import Clients

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    require_registry()
    yield tmp_path
    find_stand_in("gcp").down(tmp_path)


def test_every_target_of_the_cloud_meets_the_same_one(state: Path) -> None:
    standing = [start_for_target(target, state) for target in ("gar", "gcr", "gke")]
    assert {each.cloud for each in standing} == {"Google Cloud"}
    assert len({each.url for each in standing}) == 1
    record = find_stand_in("gcp").running(state)
    assert record is not None
    with closing(Clients(GcpRehearsal(record))) as google:
        google.repository()
    assert find_stand_in("gcp").down(state)
    assert list(state.iterdir()) == []
