"""The cache of inspected models: files in the user's cache folder. If it is lost, models are inspected again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from mldeploy import __version__
from mldeploy.check.inspection import Distribution
from mldeploy.check.model_inspection import InspectedModels, ModelFacts
from mldeploy.config.paths import cache_folder
from mldeploy.config.settings import Project, ServedColumn, ServedModel
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import replace_file
from mldeploy.image.build_inputs import collect_build_inputs
from mldeploy.image.context import digest

FORMAT = 2
KEPT = 50
"""Entries: the oldest are removed."""


def recall_models(project: Project) -> InspectedModels | None:
    """Return the cached inspection of the project's models as they are now, or None. Raises ProjectError."""
    try:
        return parse_inspection(parse_json(read_bytes(_file(project), limit=STATE_LIMIT)))
    except (OSError, ValueError):
        return None


def parse_inspection(document: object) -> InspectedModels:
    """Read what `dump_inspection` returned. Raises ValueError for anything else."""
    if not isinstance(document, dict):
        raise ValueError("no inspection")  # noqa: TRY004 - of a file's content, not of an argument
    try:
        return InspectedModels(
            tuple(map(_facts, document["facts"])),
            tuple(Distribution(*each) for each in document["distributions"]),
            document["golden"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("no inspection") from error


def dump_inspection(inspected: InspectedModels) -> dict[str, object]:
    """Return an inspection as a document that JSON can hold."""
    return {
        "facts": [asdict(each) for each in inspected.facts],
        "distributions": [[each.name, each.version] for each in inspected.distributions],
        "golden": inspected.golden,
    }


def remember_models(project: Project, inspected: InspectedModels) -> None:
    """Cache an inspection. A cache that cannot be written is none."""
    file = _file(project)
    document = dump_inspection(inspected)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps(document))
        for old in sorted(file.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)


def golden_file(inspected: InspectedModels) -> Path | None:
    """Return a file with the golden row of an inspection, None if it has none or the file cannot be written."""
    if inspected.golden is None:
        return None
    text = json.dumps(inspected.golden, indent=2)
    file = cache_folder() / "models" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.golden"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(text, encoding="utf-8")
        return file
    return None


def _file(project: Project) -> Path:
    """Return the file for a project whose models are not described: all but its assets decides."""
    inputs = collect_build_inputs(project)
    content = digest(each for each in inputs.members if not each.path.startswith("assets/"))
    recipe = inputs.recipe.digest() if inputs.recipe else ""
    build = project.build
    decisive = [FORMAT, __version__, content, recipe, build.platform, build.base_image, repr(project.served)]
    name = hashlib.sha256(json.dumps(decisive).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_folder() / "models" / f"{name}.json"


def _facts(document: dict[str, object]) -> ModelFacts:
    served, unknown = document["served"], document["unknown"]
    if not isinstance(served, dict) or not isinstance(unknown, list):
        raise TypeError("no inspection")
    columns = tuple(ServedColumn(**{**each, "categories": tuple(each["categories"])}) for each in served["columns"])
    rows = tuple(tuple((name, value) for name, value in row) for row in served["rows"])
    whole = {**served, "columns": columns, "classes": tuple(served["classes"]), "rows": rows}
    return ModelFacts(
        ServedModel(**whole), str(document["library"]), str(document["version"]), tuple(map(str, unknown))
    )
