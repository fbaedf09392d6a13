"""The line after a deployment that sends a prediction: it can be copied and works."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.check.route_step import remember_routes
from mldeploy.check.served_routes import ServedRoute, ServedRoutes
from mldeploy.cli.commands.predict_input import PredictInput, read_request
from mldeploy.cli.example_request import suggest_request
from mldeploy.config.load import load
from mldeploy.config.settings import Project, ServedColumn, ServedModel


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "mldeploy.toml").write_text('[app]\nname = "shop"\nentry = "app:app"\n')
    return load(tmp_path)


def served_by(project: Project, *columns: ServedColumn, sample: str | None = None) -> Project:
    return replace(project, served=(ServedModel("m", "m.joblib", sample, "regression", columns=columns),))


@pytest.mark.parametrize(
    ("path", "row", "line"),
    [
        (
            "/predict_api",
            {"age": 40, "who": "it's", "ok": True},
            """predict --field age=40 --field 'who=it'"'"'s' --field ok=true""",
        ),
        ("/elsewhere", {"age": 40}, "predict"),
        ("/predict_api", {"code": "007"}, "predict --field code=007"),
        ("/predict_api", {"code": "7"}, "predict"),
        ("/predict_api", {"ages": [40]}, "predict"),
    ],
)
def test_it_has_the_golden_row(project: Project, tmp_path: Path, path: str, row: dict[str, object], line: str) -> None:
    """Plain `predict` sends the golden row: that is the line where fields would be another request."""
    golden = tmp_path / "golden.json"
    golden.write_text(json.dumps({"path": path, "request": row, "expect": {"prediction": 1}}))
    assert suggest_request(replace(project, check=replace(project.check, golden=golden)), ()) == line


def test_it_has_the_first_row_of_the_sample(project: Project, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age,smoker\n41,no\n50,yes\n")
    columns = (ServedColumn("age", "integer"), ServedColumn("smoker", "category", categories=("no", "yes")))
    served = served_by(project, *columns, sample="rows.csv")
    assert suggest_request(served, ()) == "predict --field age=41 --field smoker=no"
    fields = PredictInput(fields=("age=41", "smoker=no"))
    assert read_request(fields, served).body == {"age": 41, "smoker": "no"}


def test_without_a_sample_it_has_values_within_the_bounds(project: Project) -> None:
    served = served_by(project, ServedColumn("age", "integer", 18, 64), ServedColumn("ok", "boolean"))
    assert suggest_request(served, ()) == "predict --field age=41 --field ok=false"


@pytest.mark.parametrize(("path", "line"), [("/predict_api", "predict --field NAME=VALUE"), ("/other", "")])
def test_the_routes_of_the_app_decide_whether_there_is_one(project: Project, path: str, line: str) -> None:
    routes = ServedRoutes((ServedRoute("/", ("GET",)), ServedRoute(path, ("POST",))), complete=True)
    remember_routes("shop", "sha256:1 app:app", routes)
    assert suggest_request(project, ()) == line
