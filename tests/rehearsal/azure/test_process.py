"""The process that plays Azure: in the background, and gone without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.rehearsal.standins import for_target, named
from tests.rehearsal.available import require_registry
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import push, registry_in

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    require_registry()
    yield tmp_path
    named("azure").down(tmp_path)


def test_every_target_of_the_cloud_meets_the_same_one_and_nothing_is_left_of_it(
    state: Path, engine: Engine, scrap: str
) -> None:
    standing = [for_target(target, state) for target in ("acr", "webapp")]
    assert {each.cloud for each in standing} == {"Azure"}
    assert len({each.url for each in standing}) == 1
    place = named("azure").running(state)
    assert place is not None
    azure = Clients(AzureRehearsal(place))
    logins = [registry_in(azure, name).login_server for name in ("first", "second")]
    for login in logins:
        push(engine, azure, login, scrap)
    assert named("azure").down(state)
    assert list(state.iterdir()) == []
    names = [name for image in engine.client.images() for name in image["RepoTags"] or ()]
    assert not [name for name in names if name.startswith(tuple(logins))]
