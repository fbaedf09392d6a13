"""An image that one machine builds and another one deploys: a folder with the image and what was found out about it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from mldeploy.check.model_cache import dump_inspection, parse_inspection, recall_models, remember_models
from mldeploy.check.route_step import recall_latest, remember_routes
from mldeploy.check.served_routes import dump_routes, parse_routes
from mldeploy.cli.errors import UsageError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.parsing import parse_json
from mldeploy.core.scratch import replace_file
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.image_info import ImageInfo, find_image
from mldeploy.image.labels import HASH
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError

SAVE, TAKE = "--save", "--image"
"""The flags of `build` and `deploy`."""
ARCHIVE = "image.tar"
FACTS = "mldeploy.json"
FORMAT = 1


def save_image(engine: Engine, image: Image, project: Project, folder: Path) -> None:
    """Write the image, its routes and the inspection of its models to a folder. Safe to repeat.

    project: as it was before its models were described. Raises UsageError for a folder in the app's folder,
    ProjectError for one that cannot be written, EngineError.
    """
    if folder.resolve().is_relative_to(project.app.folder):
        what = "is in the app's folder: the next image would contain it"
        raise UsageError(f"{SAVE} {folder}", what, "Choose a folder elsewhere.")
    routes, models = recall_latest(project.app.name, project.app.entry), recall_models(project)
    facts = {
        "format": FORMAT,
        "image": image.reference,
        "id": image.digest,
        "routes": dump_routes(routes) if routes else None,
        "models": dump_inspection(models) if models and project.served else None,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ARCHIVE).open("wb") as archive:
            for chunk in _export(engine, image.reference):
                archive.write(chunk)
        replace_file(folder / FACTS, json.dumps(facts))
    except OSError as error:
        what = f"cannot be written ({(error.strerror or str(error)).lower()})"
        raise ProjectError(str(folder), what, "Check its permissions and the disk.") from error


def load_image(engine: Engine, project: Project, folder: Path) -> str:
    """Load an image that `save_image` wrote, keep what was found out about it, and return its name on the engine.

    Runs nothing of the app. Safe to repeat. project: as it is before its models are described. Raises UsageError for a
    folder without an image, RefusedError for an image that mldeploy did not build, EngineError.
    """
    facts = _read_facts(folder)
    reference = str(facts.get("image"))
    try:
        archive = (folder / ARCHIVE).open("rb")
    except OSError as error:
        raise _no_image(folder, (error.strerror or str(error)).lower()) from error
    with archive, engine_errors(reference):
        for event in engine.client.load_image(archive, quiet=True):
            if problem := event.get("error") or event.get("message"):
                raise _no_image(folder, str(problem))
    info = find_image(engine, reference)
    if info is None or not info.labels.get(HASH):
        what = f"{reference} was not built by mldeploy, or is not in the archive"
        raise RefusedError(f"{TAKE} {folder}", what, f"Write it with `mldeploy build {SAVE} DIR`.")
    _keep_facts(project, facts, info)
    return reference


def _export(engine: Engine, reference: str) -> Iterator[bytes]:
    with engine_errors(reference):
        chunks = iter(engine.client.get_image(reference))
    while True:
        with engine_errors(reference):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _read_facts(folder: Path) -> dict[str, object]:
    try:
        facts = parse_json(read_bytes(folder / FACTS, limit=STATE_LIMIT))
    except OSError as error:
        raise _no_image(folder, (error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise _no_image(folder, f"{FACTS} is damaged") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise _no_image(folder, f"{FACTS} is not of this version of mldeploy")
    return facts


def _keep_facts(project: Project, facts: dict[str, object], info: ImageInfo) -> None:
    """Without them the deployment goes on with what the source and the configuration say."""
    if routes := parse_routes([str(facts.get("routes"))]):
        remember_routes(project.app.name, f"{info.id} {project.app.entry}", routes)
    with contextlib.suppress(ValueError):
        remember_models(project, parse_inspection(facts.get("models")))


def _no_image(folder: Path, why: str) -> UsageError:
    what = f"{folder} has no image that can be deployed: {why}"
    return UsageError(TAKE, what, f"Write it with `mldeploy build {SAVE} {folder}`.")
