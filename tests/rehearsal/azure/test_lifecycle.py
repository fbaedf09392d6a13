"""The lifecycle of a deployment and of the stand-in process: nothing is left after either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mldeploy.cli.stand_ins import find_stand_in, start_for_target
from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure import AzureRehearsal, StandInObject, rehearsing
from tests.rehearsal.available import require_registry
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PLAN, SITE, Estate, push, registry_in

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    require_registry()
    yield tmp_path
    find_stand_in("azure").down(tmp_path)


def test_every_target_of_the_cloud_meets_the_same_one(state: Path) -> None:
    standing = [start_for_target(target, state) for target in ("acr", "webapp")]
    assert {each.cloud for each in standing} == {"Azure"}
    assert len({each.url for each in standing}) == 1
    record = find_stand_in("azure").running(state)
    assert record is not None
    with closing(Clients(AzureRehearsal(record))) as azure:
        assert azure.arm("GET /locations", version="2022-12-01").ok
    assert find_stand_in("azure").down(state)
    assert list(state.iterdir()) == []


def test_nothing_is_left_of_any_of_its_registries(tmp_path: Path, engine: Engine, scrap: str) -> None:
    require_registry()
    with rehearsing(tmp_path / "azure", containers=False) as rehearsal, closing(Clients(rehearsal)) as azure:
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


def test_a_site_comes_answers_and_goes(azure: Clients, estate: Estate) -> None:
    url = estate.up(estate.deploy())
    assert estate.get(url).json() == {}
    held = azure.rehearsal.contents()
    assert {each.kind for each in held} == {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.ContainerRegistry/manifests",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.Resources/resourceGroups",
        "Microsoft.Web/serverfarms",
        "Microsoft.Web/sites",
    }
    assert next(each for each in held if each.kind == "Microsoft.Web/sites").tags == {"owner": "shop"}
    azure.web.web_apps.delete(GROUP, SITE, delete_empty_server_farm=False)
    with pytest.raises(OSError, match=r"(?i)aborted|disconnected"):
        estate.get(url)
    azure.web.app_service_plans.delete(GROUP, PLAN)
    azure.resources.resource_groups.begin_delete(GROUP).result()
    assert azure.rehearsal.contents() == ()


def test_a_group_goes_with_all_that_is_in_it(azure: Clients, estate: Estate) -> None:
    url = estate.up(estate.deploy())
    azure.resources.resource_groups.begin_delete(GROUP).result()
    assert azure.rehearsal.contents() == ()
    with pytest.raises(OSError, match=r"(?i)aborted|disconnected"):
        estate.get(url)


@pytest.mark.usefixtures("estate")
def test_a_new_subscription_holds_nothing_and_has_registered_nothing(azure: Clients) -> None:
    assert StandInObject("Microsoft.Web/serverfarms", PLAN) in azure.rehearsal.contents()
    azure.rehearsal.reset()
    assert azure.rehearsal.contents() == ()
    assert azure.rehearsal.calls() == ()
    assert azure.rehearsal.transfers() == ()
    assert azure.resources.providers.get("Microsoft.Web").registration_state == "NotRegistered"
