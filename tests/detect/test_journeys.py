"""From a folder as people have it to an answer on the real engine: `init`, `build`, `run-local`, and on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP
from tests.detect.folders import Case, cases
from tests.detect.world import world

pytestmark = pytest.mark.engine

CASES = {case.name: case for case in cases()}
LONG = frozenset(
    {
        "journey_a_flask_with_dockerfile",
        "journey_d_breast_cancer_with_ci",
        "journey_e_census_behind_gunicorn",
    }
)
TOLD = ("journey_a", "journey_d", "journey_e", "journey_f")
JOURNEYS = [
    pytest.param(name, marks=pytest.mark.exhaustive if name in LONG else ()) for name in CASES if name.startswith(TOLD)
]
OTHERS = [name for name, case in CASES.items() if "runs" in case.content and not name.startswith(TOLD)]
STOPPED = [name for name, case in CASES.items() if "stopped" in case.content]


def test_of_every_folder_it_is_said_what_becomes_of_it() -> None:
    """It runs; `init` refuses it, says what is wrong or warns; the check of its image says so; or it is a sketch."""
    for name, case in CASES.items():
        outcomes = {"runs", "refused", "stuck", "warned", "stopped", "unfit"} & case.content.keys()
        assert len(outcomes) == 1, f"{name}: {outcomes or 'nothing is said'}"


@pytest.mark.parametrize("name", JOURNEYS)
def test_a_journey_ends_with_an_answer_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    works(CASES[name], tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OTHERS)
def test_a_folder_that_should_work_works(name: str, tmp_path: Path) -> None:
    works(CASES[name], tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", STOPPED)
def test_a_folder_whose_fault_shows_only_in_its_image_is_stopped_there(name: str, tmp_path: Path) -> None:
    with world(CASES[name], tmp_path) as here:
        here.must("init")
        built = here.run("build", within=1700)
        assert built.code != 0
        assert CASES[name].content["stopped"] in built.err


def works(case: Case, root: Path) -> None:
    runs = case.content["runs"]
    with world(case, root) as here:
        here.must("init", *runs.get("init", ()))
        here.must("build")
        here.must("run-local")
        assert here.must("status", "--json").document["url"]
        if "ask" in runs:
            assert here.predicted(runs["ask"]) == runs["answer"]
        here.must("destroy", "--yes")
        engine = Engine.connect()
        left = engine.client.containers(all=True, filters={"label": f"{APP}={here.name}"})
        engine.client.close()
        assert not left
