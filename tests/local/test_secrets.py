"""The secrets of an app on this machine: a file of the user's, and variables of the next container."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.errors import StateError
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.local import provider
from mldeploy.providers.local.secrets import LocalSecretStore
from mldeploy.testing.promises import Promise, proves
from tests.local.world import World

pytestmark = pytest.mark.engine

NAME, VALUE, CHANGED = "API_KEY", "an-unguessable-value-1", "an-unguessable-value-2"
MONITOR = Monitor(Resource("none", Key("none")), ignore, Cancel())


@pytest.fixture
def store(world: World) -> Iterator[LocalSecretStore]:
    """The store of the test's app, which is in the user's own state folder."""
    store = provider.secrets(world.cloud, world.project, world.settings)
    yield store
    store.path.unlink(missing_ok=True)
    if store.path.parent.exists():
        store.path.parent.rmdir()


def environment(world: World) -> object:
    return world.get("/facts")["environment"].get(NAME)


@proves(Promise.SECRETS, targets=("local",))
def test_the_life_of_a_secret(world: World, store: LocalSecretStore) -> None:
    """Each change is a difference that names the variable, and never shows a value."""
    store.write(NAME, Secret(VALUE), MONITOR)
    world.deploy()
    assert environment(world) == VALUE
    assert world.plan().is_noop
    store.write(NAME, Secret(CHANGED), MONITOR)
    reasons = " ".join(reason for change in world.plan().changes for reason in change.reasons)
    assert f"environment changed: {NAME}" in reasons
    assert VALUE not in reasons
    assert CHANGED not in reasons
    world.deploy()
    assert environment(world) == CHANGED
    assert store.remove(NAME, MONITOR)
    world.deploy()
    assert environment(world) is None


@proves(Promise.SECRETS, targets=("local",))
def test_destroy_removes_the_file(world: World, store: LocalSecretStore) -> None:
    for name in (NAME, "OTHER", "MLDEPLOY_ACCESS_KEYS"):
        store.write(name, Secret(VALUE), MONITOR)
    world.destroy()
    assert store.list() == ()
    assert not store.path.exists()


def test_only_the_user_can_read_the_file(store: LocalSecretStore) -> None:
    first = store.write(NAME, Secret(VALUE), MONITOR)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.write(NAME, Secret(VALUE), MONITOR) == first
    assert store.read(NAME) == Secret(VALUE)
    assert VALUE not in repr(store.list())
    assert store.remove(NAME, MONITOR)
    assert not store.remove(NAME, MONITOR)
    assert not store.path.exists()


def test_what_mldeploy_keeps_there_is_no_variable_of_the_app(world: World, store: LocalSecretStore) -> None:
    store.write("MLDEPLOY_ACCESS_KEYS", Secret(VALUE), MONITOR)
    world.deploy()
    assert VALUE not in str(world.get("/facts"))


def test_a_variable_with_two_values_is_refused(world: World, store: LocalSecretStore) -> None:
    store.write(NAME, Secret(VALUE), MONITOR)
    world.app(env=((NAME, Secret(CHANGED)),))
    with pytest.raises(DeploymentFailedError, match=f"mldeploy secrets unset {NAME}") as refused:
        world.deploy()
    assert isinstance(refused.value.failures[0][1], ConfigError)
    assert world.containers == ()


def test_a_damaged_file_is_named_and_not_quoted(store: LocalSecretStore) -> None:
    store.write(NAME, Secret(VALUE), MONITOR)
    store.path.write_text(f'{{"{NAME}": {{"value": "{VALUE}"')
    with pytest.raises(StateError) as refused:
        store.list()
    assert str(store.path) in str(refused.value)
    assert refused.value.__cause__ is None
    assert VALUE not in str(refused.value)
