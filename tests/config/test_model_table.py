"""`[model]` and `[[model]]`: what they mean, and what is wrong with them in the user's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.config.settings import Project


def loaded(folder: Path, text: str) -> Project:
    (folder / "mldeploy.toml").write_text(text)
    return load(folder)


def test_a_model_is_an_app_with_the_server_of_mldeploy(tmp_path: Path) -> None:
    project = loaded(tmp_path, '[model]\npath = "models/charges.joblib"\nsample = "rows.csv"\n')
    app, model = project.app, project.served[0]
    assert (app.entry, app.interface, app.health) == ("mldeploy_model.server:app", "wsgi", "/health")
    assert (app.predict, app.predict_table, app.models) == ("/predict", "/predict", ("models/charges.joblib",))
    assert (model.name, model.path, model.sample, model.is_described) == (
        "charges",
        "models/charges.joblib",
        "rows.csv",
        False,
    )


def test_columns_keep_their_order_and_complete_the_description(tmp_path: Path) -> None:
    text = """
    [model]
    path = "m.onnx"
    task = "classification"
    classes = ["no", "yes"]
    [model.columns]
    "body mass" = { type = "number", minimum = 10, maximum = 60, unit = "kg/m²" }
    age = { type = "integer", optional = true }
    smoker = { type = "category", categories = ["yes", "no", 1, true] }
    """
    model = loaded(tmp_path, text).served[0]
    assert [each.name for each in model.columns] == ["body mass", "age", "smoker"]
    assert (model.columns[0].minimum, model.columns[0].unit, model.columns[1].optional) == (10, "kg/m²", True)
    assert (model.columns[2].categories, model.classes) == (("yes", "no", 1, True), ("no", "yes"))
    assert model.is_described


def test_several_models_have_a_path_each(tmp_path: Path) -> None:
    project = loaded(tmp_path, '[[model]]\npath = "a.joblib"\n[[model]]\npath = "b/model.onnx"\nname = "second"\n')
    assert [each.name for each in project.served] == ["a", "second"]
    assert project.app.predict == "/models/a/predict"


def test_a_variable_sets_a_key_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_MODEL_LOG_RATE", "0.5")
    assert loaded(tmp_path, '[model]\npath = "a.joblib"\n').served[0].log_rate == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[model]\nsample = "r.csv"', "model.path: is missing"),
        ('[model]\npath = "../m"', "model.path: must be the path of a file or folder below the project folder, with /"),
        ('[model]\npath = "m"\npaht = "n"', 'model.paht: unknown key; did you mean "path"?'),
        ('[model]\npath = "m"\ntask = "guess"', 'model.task: must be one of "regression", "classification", "other"'),
        ('[model]\npath = "m"\nlog_rate = 2', "model.log_rate: must be a number from 0 to 1, not 2"),
        (
            '[model]\npath = "m"\ncolumns.age = { typ = "x" }',
            'model.columns.age.typ: unknown key; did you mean "type"?',
        ),
        ('[model]\npath = "m"\ncolumns.age = { type = "x" }', 'model.columns.age.type: must be one of "number"'),
        ('[model]\npath = "m"\ncolumns.age = 3', "model.columns.age: must be a table, not 3"),
        (
            '[model]\npath = "m"\nclasses = [[1]]',
            "model.classes[0]: must be a text, a number, true or false",
        ),
        ('[model]\npath = "m"\ncolumns.a = { minimum = 2, maximum = 1 }', "the minimum 2 is above the maximum 1"),
        ("model = 3", "model: must be a table, or one table per model"),
        ('[[model]]\npath = "m"\n[[model]]\npath = 3', "model[1].path: must be the path"),
        ('[[model]]\npath = "m.pkl"\n[[model]]\npath = "m.onnx"', 'two models have the name "m"'),
        ('[model]\npath = "m"\nruntime = "tiny"', 'model.runtime: must be one of "full", "minimal"'),
        ('[[model]]\npath = "a"\nruntime = "minimal"\n[[model]]\npath = "b"', "one image has one runtime"),
    ],
)
def test_what_is_wrong_has_its_place_and_its_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert message in str(caught.value)
