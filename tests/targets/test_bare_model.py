"""A folder with a model and a sample, on every target that runs apps: the page, /docs, /predict and v2 answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.cli.stand_ins import rehearsed_targets
from mldeploy.config.paths import config_file
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from tests.bare_model import assert_answers, cleaned_engine, train
from tests.cli.command import Command
from tests.names import app_name
from tests.rehearsal.available import require_registry

pytestmark = [pytest.mark.engine, pytest.mark.exhaustive]

TARGETS = [name for name in rehearsed_targets() if isinstance(registry.find(name), Runtime)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    require_registry()
    place = tmp_path_factory.mktemp("bare")
    folder = place / app_name()
    folder.mkdir()
    train(folder)
    mldeploy = Command(place / "home", folder)
    if config_file().exists():  # the base image of this machine
        (mldeploy.home / "config" / "mldeploy").mkdir(parents=True)
        shutil.copy(config_file(), mldeploy.home / "config" / "mldeploy")
    with cleaned_engine(folder.name):
        yield mldeploy


@pytest.mark.parametrize("target", TARGETS)
def test_a_bare_model_answers_on_every_target(bare: Command, target: str, request: pytest.FixtureRequest) -> None:
    place = ("--target", target, "--rehearse")
    request.addfinalizer(lambda: bare("rehearse", "down"))
    deployed = bare("deploy", *place, "--json")
    assert deployed.code == 0, deployed.err
    assert_answers(str(deployed.document["url"]), _bundle(bare.state))
    asked = bare("predict", *place, "-f", "age=40", "-f", "smoker=no", "--json")
    assert asked.document["answer"] == {"prediction": pytest.approx(8000)}
    removed = bare("destroy", *place, "--yes")
    assert removed.code == 0, removed.err
    assert sorted(path.name for path in bare.folder.iterdir()) == ["model.joblib", "rows.csv"]


def _bundle(state: Path) -> str | bool:
    """The certificates of a stand-in that speaks TLS."""
    records = [json.loads(file.read_text()) for file in state.glob("rehearsal*/place.json")]
    return next((str(each["ca_bundle"]) for each in records if each.get("ca_bundle")), True)
