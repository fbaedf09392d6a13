"""The build context of a model without an app: the server's package, the description, and never the sample itself."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.check.inspection import Distribution
from mldeploy.check.minimal_image import with_minimal_build
from mldeploy.image.build_inputs import BuildInputs, collect_build_inputs
from mldeploy.image.context import Text
from mldeploy.image.recipe.render import render_dockerfile
from mldeploy.project.load import load_project
from tests.detect import trained

SAMPLE = "age;bmi;charges\n18;22.5;100\n64;;900\n"
DESCRIBED = """
[model]
path = "model.pkl"
sample = "rows.csv"
task = "regression"
target = "charges"
[model.columns]
age = { type = "integer", unit = "years" }
bmi = { type = "number", optional = true }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trained.save(tmp_path / "model.pkl", "regression")
    (tmp_path / "rows.csv").write_text(SAMPLE)
    return tmp_path


def inputs(folder: Path, settings: str) -> BuildInputs:
    (folder / "mldeploy.toml").write_text(settings)
    return collect_build_inputs(load_project(folder).project)


def texts(collected: BuildInputs) -> dict[str, str]:
    return {each.path: each.content.decode() for each in collected.members if isinstance(each, Text)}


def test_a_described_model_brings_its_description_and_some_rows(folder: Path) -> None:
    collected = inputs(folder, DESCRIBED)
    (model,) = json.loads(texts(collected)["code/app/.mldeploy/models.json"])["models"]
    assert (model["path"], model["task"], model["target"]) == ("model.pkl", "regression", "charges")
    assert [each["name"] for each in model["columns"]] == ["age", "bmi"]
    assert model["sample"] == [{"age": 18, "bmi": 22.5}, {"age": 64, "bmi": None}]
    assert len(model["version"]) == 12
    paths = {each.path for each in collected.members}
    assert {"builder/mldeploy_model/schema.py", "model/app/model.pkl"} <= paths
    assert not any(path.endswith("rows.csv") for path in paths)


def test_a_plan_stands_for_the_model_and_its_libraries(folder: Path) -> None:
    (folder / "mldeploy.toml").write_text(f'{DESCRIBED}\n[build]\nsystem_packages = ["libgomp1"]\n')
    project = load_project(folder).project
    plan = base64.b64encode(b"the plan").decode()
    planned = replace(project, served=tuple(replace(each, plan=plan, runtime="minimal") for each in project.served))
    installed = (Distribution("numpy", "2.3.1"), Distribution("scikit-learn", "1.7.0"), Distribution("orjson", "3.11"))
    collected = collect_build_inputs(with_minimal_build(planned, installed))
    members = texts(collected)
    assert members["model/app/.mldeploy/plans/model.plan"] == "the plan"
    assert "model/app/model.pkl" not in {each.path for each in collected.members}
    lines = members["builder/requirements/requirements.txt"].splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["numpy==2.3.1", "orjson==3.11"]
    assert collected.recipe is not None
    assert collected.recipe.system_packages == ()
    (model,) = json.loads(members["code/app/.mldeploy/models.json"])["models"]
    assert len(model["version"]) == 12, "the version is still that of the model's file"


def test_a_model_to_inspect_brings_its_sample_with_commas(folder: Path) -> None:
    collected = inputs(folder, '[model]\npath = "model.pkl"\nsample = "rows.csv"\n')
    assert texts(collected)["code/app/.mldeploy/model/rows.csv"] == "age,bmi,charges\n18,22.5,100\n64,,900\n"
    assert "code/app/.mldeploy/models.json" not in texts(collected)


def test_the_recipe_installs_the_server_and_starts_it(folder: Path) -> None:
    recipe = inputs(folder, DESCRIBED).recipe
    assert recipe is not None
    text = render_dockerfile(recipe)
    assert "COPY builder/mldeploy_model/ ./mldeploy_model/" in text
    assert "mldeploy_*.py mldeploy_model /venv/lib/python3*/site-packages/" in text
    assert '"mldeploy_model.server:app"' in text


def test_another_model_is_another_version_and_another_image(folder: Path) -> None:
    before = texts(inputs(folder, DESCRIBED))["code/app/.mldeploy/models.json"]
    trained.save(folder / "model.pkl", "classifier")
    assert texts(inputs(folder, DESCRIBED))["code/app/.mldeploy/models.json"] != before
