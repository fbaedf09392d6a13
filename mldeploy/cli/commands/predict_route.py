"""Where `mldeploy predict` sends its requests: the routes of the app, or of one of its models."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from mldeploy.cli.errors import UsageError
from mldeploy.config.served import model_path
from mldeploy.config.settings import Project, ServedModel

BATCH_ROWS = 1000


@dataclass(frozen=True)
class PredictRoute:
    """path: for one row. table: for `{"columns", "data"}`, None if the app has no such route. batch: rows per request.

    texts: the columns whose values stay text, even if they look like numbers: as far as the types are known. model: its
    name, if one was chosen.
    """

    path: str
    table: str | None
    texts: frozenset[str] = frozenset()
    batch: int = BATCH_ROWS
    model: str = ""

    @classmethod
    def of(cls, project: Project, name: str | None = None) -> PredictRoute:
        """Return the route of the model with this name, or the first one's. Raises UsageError for an unknown name."""
        first = project.served[0] if project.served else None
        model = first if name is None else _find_model(project, name)
        if model is None or model is first:
            return cls(project.app.predict, project.app.predict_table, *_limits(model), model=name or "")
        return cls(model_path(model), model_path(model), *_limits(model), model=model.name)


def _find_model(project: Project, name: str) -> ServedModel:
    if not project.served:
        what = "the app loads its models itself: mldeploy does not know them"
        raise UsageError("--model", what, "Leave --model out.")
    names = [each.name for each in project.served]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise UsageError("--model", f"there is no model {name}{meant}", f"Choose from: {', '.join(names)}.")
    return project.served[names.index(name)]


def _limits(model: ServedModel | None) -> tuple[frozenset[str], int]:
    """Return the columns of texts, and the rows of one request."""
    if model is None:
        return frozenset(), BATCH_ROWS
    texts = (
        each.name
        for each in model.columns
        if each.type == "text" or (each.categories and isinstance(each.categories[0], str))
    )
    return frozenset(texts), min(BATCH_ROWS, model.max_rows)
