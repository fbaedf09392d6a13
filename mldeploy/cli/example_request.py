"""The command that sends a prediction to an app, filled in from what is known of its input."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping

from mldeploy.check.route_step import recall_latest
from mldeploy.cli.commands.predict_input import PredictInput, read_request
from mldeploy.config.settings import Project
from mldeploy.image.recipe.served_models import to_schema, with_rows
from mldeploy.project.golden import Json, load_golden
from mldeploy_model.server.examples import example_row


def suggest_request(project: Project, assumed: Collection[str]) -> str:
    """Return the `predict` command without the program's name; "" if the app shows no route for a prediction.

    assumed: the keys that are not configured. Raises ProjectError if the golden row or the sample cannot be read.
    """
    if project.check.golden is not None:
        golden = load_golden(project.check.golden)
        # Without an option, `predict` sends the golden row.
        return (_with_fields(project, golden.request) if golden.path == project.app.predict else "") or "predict"
    if not project.served and not _has_route(project, assumed):
        return ""
    placeholder = "predict --csv FILE" if project.app.predict_table else "predict --field NAME=VALUE"
    return _with_fields(project, _example_row(project)) or placeholder


def _example_row(project: Project) -> Json:
    """Return the row that the page of a served model shows, without what is missing in it; None if there is none."""
    if not project.served or not project.served[0].is_described:
        return None
    row = example_row(to_schema(with_rows(project.app.folder, project.served[0])))
    return {name: value for name, value in row.items() if value is not None}


def _with_fields(project: Project, row: Json) -> str:
    """Return the command with the values of a row; "" if `--field` would send another one."""
    if not row or not isinstance(row, Mapping):
        return ""
    pairs = row.items()
    fields = tuple(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in pairs)
    if read_request(PredictInput(fields=fields), project).body != row:
        return ""
    return shlex.join(["predict", *(word for field in fields for word in ("--field", field))])


def _has_route(project: Project, assumed: Collection[str]) -> bool:
    app = project.app
    routes = recall_latest(project)
    if routes is not None and not project.build.dockerfile and not app.command:
        return any(each.path in {app.predict, app.predict_table} for each in routes.routes)
    return "app.entry" not in assumed or bool({"app.predict", "app.predict_table"} & set(assumed))
