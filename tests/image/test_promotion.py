"""An image that another environment has taken over: found under its new name, kept and removed with the right one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mldeploy.config.environments import environment_key
from mldeploy.config.settings import AppEnvironment, Project
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Outputs, Seen
from mldeploy.image import catalogue
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.errors import BuildError
from mldeploy.image.image_info import find_image
from mldeploy.image.promotion import ImageSource, PromotedImage
from mldeploy.image.types import BaseDigest, Image
from tests.image.shop import Shop, write
from tests.names import record

pytestmark = pytest.mark.engine


def in_environment(shop: Shop, environment: str) -> Project:
    """The app as it is in an environment, with an image that takes no time to build."""
    project = shop.project(dockerfile="Dockerfile")
    name = environment_key(shop.name, environment)
    return replace(project, app=replace(project.app, name=name, environment=AppEnvironment(environment, shop.name)))


@pytest.fixture
def quick(alone: Shop) -> Iterator[Shop]:
    write(alone.folder, {"Dockerfile": f"FROM {alone.project().build.base_image}\nCOPY app.py /\nCMD sleep 600\n"})
    names = [record(environment_key(alone.name, each)) for each in ("staging", "production")]
    yield alone
    for name in names:
        catalogue.remove_images(alone.engine, name)


def build(shop: Shop) -> Image:
    """The image of the environment `staging`."""
    return shop.build(in_environment(shop, "staging")).out


def promote(shop: Shop, image: Image) -> Image:
    """Take it over to `production`."""
    step = PromotedImage.from_source(in_environment(shop, "production"), ImageSource(image.reference))
    outs = Outputs(step, {id(step.base): BaseDigest(())})
    cloud = EngineCloud(shop.engine)
    made = step.apply(cloud, outs, None, Monitor(step.resource, ignore, Cancel()))
    assert step.probe(cloud, outs) == Seen(made), "a second promotion does nothing"
    return made


def listed(shop: Shop, environment: str) -> list[str]:
    return [each.reference for each in catalogue.list_images(shop.engine, environment_key(shop.name, environment))]


def test_it_is_the_same_image(quick: Shop) -> None:
    built = build(quick)
    promoted = promote(quick, built)
    assert promoted.digest == built.digest
    name, _, tag = promoted.reference.partition(":")
    assert name == environment_key(quick.name, "production")
    assert tag == f"{built.reference.partition(':')[2]}-{name[-6:]}"
    assert listed(quick, "production") == [promoted.reference]
    assert listed(quick, "staging") == [built.reference]


@pytest.mark.parametrize("removed", ["staging", "production"])
def test_the_removal_of_one_environment_leaves_the_others_image(quick: Shop, removed: str) -> None:
    built = build(quick)
    images = {"staging": built, "production": promote(quick, built)}
    kept = {"staging": "production", "production": "staging"}[removed]
    with quick.container(images[kept].reference):
        assert catalogue.has_leftovers(quick.engine, environment_key(quick.name, removed))
        assert catalogue.remove_images(quick.engine, environment_key(quick.name, removed))
        assert not catalogue.has_leftovers(quick.engine, environment_key(quick.name, removed))
        assert find_image(quick.engine, images[removed].reference) is None
        assert find_image(quick.engine, images[kept].reference) is not None
    assert listed(quick, kept) == [images[kept].reference]
    assert catalogue.remove_images(quick.engine, environment_key(quick.name, kept))
    assert find_image(quick.engine, built.digest) is None, "nothing is left"


def test_a_deployment_of_the_same_files_builds_nothing(quick: Shop) -> None:
    promoted = promote(quick, build(quick))
    assert quick.build(in_environment(quick, "production")).out.reference == promoted.reference
    write(quick.folder, {"app.py": "changed"})
    assert quick.build(in_environment(quick, "production")).out.reference != promoted.reference


def test_an_image_that_is_gone_is_named(quick: Shop) -> None:
    built = build(quick)
    catalogue.remove_images(quick.engine, environment_key(quick.name, "staging"))
    with pytest.raises(BuildError, match="is not there any more"):
        promote(quick, built)
