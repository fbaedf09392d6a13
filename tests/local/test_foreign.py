"""What is not ours is named and left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.app.containers import Containers
from mldeploy.core.errors import LeftoversError, RefusedError
from mldeploy.core.verbs import Intent
from mldeploy.image.labels import APP
from tests.local.world import BASE, World

pytestmark = pytest.mark.engine


@pytest.fixture
def squatter(world: World, request: pytest.FixtureRequest) -> Iterator[str]:
    """A container that bears one of our names, and nothing else of ours."""
    client = world.engine.client
    name = str(getattr(Containers(world.engine, world.name), request.param, f"mldeploy-{world.name}-{request.param}"))
    made = client.create_container(BASE, ["sleep", "600"], name=name)["Id"]
    yield made
    client.remove_container(made, force=True)


@pytest.mark.parametrize("squatter", ["serving"], indirect=True)
def test_foreign_container_with_the_name_of_the_one_that_serves(world: World, squatter: str) -> None:
    assert Intent.REFUSE in {change.intent for change in world.plan().changes}
    error = world.fail()
    assert isinstance(error, RefusedError)
    assert f"the name mldeploy-{world.name} is taken" in str(error)
    world.destroy()
    assert world.engine.client.inspect_container(squatter)["State"]["Status"] == "created"


@pytest.mark.parametrize("squatter", ["candidate", "next", "proxy"], indirect=True)
def test_foreign_container_in_the_way_of_a_rollout(world: World, squatter: str) -> None:
    error = world.fail()
    assert isinstance(error, RefusedError)
    assert "mldeploy did not make it" in str(error)
    assert world.engine.client.inspect_container(squatter)["State"]["Status"] == "created"


def test_foreign_network_with_the_name_of_the_apps(world: World) -> None:
    client = world.engine.client
    made = client.create_network(f"mldeploy-{world.name}")["Id"]
    try:
        error = world.fail()
        assert isinstance(error, RefusedError)
        assert "mldeploy did not make it" in str(error)
        world.destroy()
        assert client.networks(ids=[made])
    finally:
        client.remove_network(made)


def test_container_of_the_users_on_the_apps_network_is_named_and_left_alone(world: World) -> None:
    world.deploy()
    client, name = world.engine.client, f"database-{world.name}"
    made = client.create_container(BASE, ["sleep", "600"], name=name)["Id"]
    try:
        client.start(made)
        client.connect_container_to_network(made, f"mldeploy-{world.name}")
        with pytest.raises(LeftoversError, match=f"Disconnect {name}"):
            world.destroy()
        assert client.inspect_container(made)["State"]["Running"]
    finally:
        client.remove_container(made, force=True)
    world.destroy()
    assert world.leftovers == []


def test_container_that_a_user_starts_from_our_image_is_the_users(world: World) -> None:
    """It inherits the labels of the image."""
    world.deploy()
    client = world.engine.client
    byhand = client.create_container(f"{world.name}:1", ["sleep", "600"])["Id"]
    client.start(byhand)
    assert client.inspect_container(byhand)["Config"]["Labels"][APP] == world.name
    assert [each.name for each in world.containers] == [f"mldeploy-{world.name}"]
    assert world.plan().is_noop
    Containers(world.engine, world.name).remove(world.serving.id)
    world.deploy()
    assert client.inspect_container(byhand)["State"]["Running"]
