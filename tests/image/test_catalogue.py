"""The images that an app has on the engine: listed, pruned, and removed without touching anybody else's."""

from __future__ import annotations

import pytest

from mldeploy.image import catalogue
from mldeploy.image.errors import EngineError
from mldeploy.image.labels import SPEC, STAGE, owner_labels
from tests.image.shop import Shop, write

pytestmark = pytest.mark.engine


@pytest.fixture
def quick(alone: Shop) -> Shop:
    """An app whose images take no time to build."""
    write(alone.folder, {"Dockerfile": f"FROM {alone.project().build.base_image}\nCOPY app.py /\nCMD sleep 600\n"})
    return alone


def build(shop: Shop, *versions: str) -> list[str]:
    """Build some versions; their references."""
    made = []
    for version in versions:
        write(shop.folder, {"app.py": version})
        made.append(shop.build(shop.project(dockerfile="Dockerfile")).out.reference)
    return made


def listed(shop: Shop) -> list[str]:
    return [each.reference for each in catalogue.list_images(shop.engine, shop.name)]


def test_an_app_without_images(quick: Shop) -> None:
    assert listed(quick) == []
    assert not catalogue.has_leftovers(quick.engine, quick.name)
    assert not quick.remove()


def test_they_are_listed_with_what_uses_them(quick: Shop) -> None:
    one, two = build(quick, "one", "two")
    ours = {"labels": {**owner_labels(quick.name), SPEC: "x"}}
    with quick.container(one, **ours), quick.container(two):
        result = {each.reference: each for each in catalogue.list_images(quick.engine, quick.name)}
    assert result.keys() == {one, two}
    assert result[one].current
    assert [use.ours for use in result[one].uses] == [True]
    assert not result[two].current, "a container that a user started from it by hand is not the deployment's"
    assert [use.ours for use in result[two].uses] == [False]
    assert result[one].hash[:16] == one.partition(":")[2]
    assert result[one].size > 0
    assert result[one].created.endswith("+00:00")


def test_names_that_podman_has_written_out_are_the_same(quick: Shop) -> None:
    (one,) = build(quick, "one")
    client = quick.engine.client
    client.tag(one, f"localhost/{quick.name}", one.partition(":")[2])
    client.remove_image(one)
    assert listed(quick) == [one]
    assert quick.remove()
    assert listed(quick) == []


def test_all_but_the_last_ones_are_pruned_and_what_is_used_stays(quick: Shop) -> None:
    one, two, three, four = build(quick, "one", "two", "three", "four")
    newest = listed(quick)
    with quick.container(one):
        removed = catalogue.prune_images(quick.engine, quick.name, 2)
        kept = {*newest[:2], one}
        assert set(listed(quick)) == kept
        assert set(removed) == {one, two, three, four} - kept
    assert catalogue.prune_images(quick.engine, quick.name, 2) or len(kept) == 2
    assert set(listed(quick)) == set(newest[:2])


@pytest.mark.exhaustive
def test_pruning_keeps_the_next_build_fast(alone: Shop) -> None:
    """What the builder stage has made is what an edit of the code is built on."""
    alone.build()
    catalogue.prune_images(alone.engine, alone.name, 0)
    assert listed(alone) == []
    kept = builders(alone)
    assert len(kept) == 1
    alone.build()
    assert builders(alone) == kept, "made anew"


def builders(shop: Shop) -> list[str]:
    labels = [f"{name}={value}" for name, value in {**owner_labels(shop.name), STAGE: "builder"}.items()]
    return [each["Id"] for each in shop.engine.client.images(filters={"label": labels})]


def test_removing_leaves_nothing(quick: Shop) -> None:
    build(quick, "one", "two")
    assert catalogue.has_leftovers(quick.engine, quick.name)
    assert quick.remove()
    assert not quick.engine.client.images(all=True, filters={"label": f"mldeploy.app={quick.name}"})
    assert not catalogue.has_leftovers(quick.engine, quick.name)
    assert not quick.remove()


def test_what_the_deployment_still_uses_is_an_error(quick: Shop) -> None:
    (one,) = build(quick, "one")
    with (
        quick.container(one, labels={**owner_labels(quick.name), SPEC: "x"}),
        pytest.raises(EngineError, match="still uses it") as caught,
    ):
        quick.remove()
    assert caught.value.where == one


def test_what_somebody_else_uses_is_left_to_them(quick: Shop) -> None:
    one, two = build(quick, "one", "two")
    with quick.container(one):
        assert quick.remove()
        assert listed(quick) == [one]
        assert not catalogue.has_leftovers(quick.engine, quick.name), "nothing that we may remove"
        assert not quick.remove()
    assert quick.remove()
    assert two not in listed(quick)


def test_what_somebody_else_has_named_stays_under_their_name(quick: Shop) -> None:
    (one,) = build(quick, "one")
    quick.engine.client.tag(one, f"{quick.name}-mine", "kept")
    try:
        assert quick.remove()
        assert listed(quick) == []
        assert not catalogue.has_leftovers(quick.engine, quick.name)
        assert quick.engine.client.images(f"{quick.name}-mine:kept")
    finally:
        quick.engine.client.remove_image(f"{quick.name}-mine:kept")


@pytest.mark.exhaustive
def test_what_a_registry_calls_it_is_not_somebody_elses_name(quick: Shop, registry: str) -> None:
    """As a rehearsal leaves it, which pulls by digest what it was given."""
    (one,) = build(quick, "one")
    client, repository = quick.engine.client, f"{registry}/{quick.name}"
    client.tag(one, repository, "1")
    client.push(repository, tag="1")
    (pushed,) = client.inspect_image(one)["RepoDigests"]
    client.remove_image(f"{repository}:1")
    client.pull(pushed)
    assert client.inspect_image(one)["RepoDigests"] == [pushed]
    assert quick.remove()
    assert not catalogue.has_leftovers(quick.engine, quick.name)
    assert not client.images(all=True, filters={"label": f"mldeploy.app={quick.name}"})


def test_another_app_is_not_touched(quick: Shop, alone: Shop) -> None:
    other = Shop(alone.folder, alone.engine)
    (mine,) = build(quick, "one")
    (theirs,) = build(other, "one")
    assert mine != theirs
    quick.remove()
    assert listed(other) == [theirs]
    other.remove()
