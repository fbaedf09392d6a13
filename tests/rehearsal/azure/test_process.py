"""The process that plays Azure: in the background, and gone without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import AzureRehearsal, rehearsing
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


def test_every_target_of_the_cloud_meets_the_same_one(state: Path) -> None:
    standing = [for_target(target, state) for target in ("acr", "webapp")]
    assert {each.cloud for each in standing} == {"Azure"}
    assert len({each.url for each in standing}) == 1
    place = named("azure").running(state)
    assert place is not None
    assert Clients(AzureRehearsal(place)).arm("GET /locations", version="2022-12-01").ok
    assert named("azure").down(state)
    assert list(state.iterdir()) == []


def test_nothing_is_left_of_any_of_its_registries(tmp_path: Path, engine: Engine, scrap: str) -> None:
    require_registry()
    with rehearsing(tmp_path / "azure", containers=False) as rehearsal:
        azure = Clients(rehearsal)
        logins = tuple(registry_in(azure, name).login_server for name in ("first", "second"))
        for login in logins:
            push(engine, azure, login, scrap)
        assert images(engine, logins) == 2
    assert images(engine, logins) == 0
    assert not (tmp_path / "azure").exists()


def images(engine: Engine, logins: tuple[str, ...]) -> int:
    """How many names of images on the engine begin so."""
    names = [name for image in engine.client.images() for name in image["RepoTags"] or ()]
    return sum(name.startswith(logins) for name in names)
