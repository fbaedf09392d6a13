"""What the project in a folder is: its configuration, completed from the folder and checked against it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.errors import joined
from mldeploy.config.files import UnreadableError, opened, reason
from mldeploy.config.load import absolute, read
from mldeploy.config.override import Overrides
from mldeploy.config.resolve import Found, Raw, resolve
from mldeploy.config.settings import Project
from mldeploy.project.entry import entry_problem, find_entry
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import load_golden
from mldeploy.project.models import find_models

DOCKERFILE = "Dockerfile"


@dataclass(frozen=True)
class Inspection:
    """A project that can be built as far as its files can tell. notes: what was assumed, one sentence each."""

    project: Project
    notes: tuple[str, ...]


def inspect(folder: Path, overrides: Overrides = ()) -> Inspection:
    """Read the configuration, complete it from what stands in the folder, and check that what it names exists.

    Imports and runs nothing of the user's. May be repeated. Raises ConfigError, or one ProjectError for all that is
    missing.
    """
    try:
        require_folder(folder)
        raw = read(folder, overrides)
        project = resolve(raw, _find(raw))
        problems = list(_problems(raw, project))
    except OSError as error:
        raise _not_permitted(folder, error) from error
    if problems:
        raise joined(problems)
    return Inspection(project, tuple(_notes(raw, project)))


def require_folder(folder: Path) -> None:
    """Raise ProjectError if there is no such folder, or if it may not be read."""
    path = absolute(folder)
    try:
        if path.is_dir():
            os.scandir(path).close()
            return
        what = "is a file, not a folder" if path.exists() else "there is no such folder"
    except OSError as error:
        raise _not_permitted(folder, error) from error
    raise ProjectError(str(path), what, "Name the project's folder with -C.")


def _not_permitted(folder: Path, error: OSError) -> ProjectError:
    """A folder, or one on the way to it, that may not be entered."""
    return ProjectError(str(error.filename or folder), reason(error), "Check its permissions.")


def _find(raw: Raw) -> Found:
    tables = raw.tables
    return Found(
        entry=(None if "entry" in tables.app.model_fields_set else find_entry(raw.folder)) or Found.entry,
        models=find_models(raw.folder) if tables.app.models is None else (),
        dockerfile=DOCKERFILE if tables.build.dockerfile is None and (raw.folder / DOCKERFILE).is_file() else None,
    )


def _notes(raw: Raw, project: Project) -> Iterator[str]:
    written, app = raw.tables, project.app
    if written.app.name is None:
        yield f'app.name: "{app.name}", from the name of the folder'
    if "entry" not in written.app.model_fields_set and project.build.dockerfile is None:
        yield f'app.entry: "{app.entry}"'
    if written.app.models is None:
        yield f"app.models: {', '.join(app.models) or 'no model file was found'}"
    if written.build.dockerfile is None and project.build.dockerfile is not None:
        yield f"build.dockerfile: {DOCKERFILE}, because there is one"


def _problems(raw: Raw, project: Project) -> Iterator[ProjectError]:
    app, build = project.app, project.build
    where = raw.written.place
    if build.dockerfile is not None:
        yield from _missing(app.folder, build.dockerfile, where("build.dockerfile"))
    else:
        if (what := entry_problem(app.folder, app.entry)) is not None:
            yield ProjectError(where("app.entry"), what, _entry_remedy(app.folder))
        yield from _missing(app.folder, build.requirements, where("build.requirements"))
    for model in app.models:
        yield from _missing(app.folder, model, where("app.models"))
    if build.ca_bundle is not None:
        yield from _unreadable(build.ca_bundle, where("build.ca_bundle"))
    if project.check.golden is not None:
        yield from _golden_problems(project.check.golden, where("check.golden"))


def _entry_remedy(folder: Path) -> str:
    found = find_entry(folder)
    return f'Set app.entry = "{found}".' if found else 'Set app.entry to the WSGI callable, such as "app:app".'


def _missing(folder: Path, name: str, where: str) -> Iterator[ProjectError]:
    """The problem of a file that is to be copied into the image, if it has one."""
    problems = list(_unreadable(folder / name, where))
    yield from problems
    if not problems and not (folder / name).resolve().is_relative_to(folder):
        yield ProjectError(where, f"{name} leads out of the project folder", "Put the file itself into the folder.")


def _unreadable(path: Path, where: str) -> Iterator[ProjectError]:
    try:
        with opened(path):
            return
    except FileNotFoundError:
        yield ProjectError(where, f"there is no file {path}", "Create it, or correct the setting.")
    except UnreadableError as error:
        yield ProjectError(where, f"{path} {error.what}")


def _golden_problems(path: Path, where: str) -> Iterator[ProjectError]:
    problems = list(_unreadable(path, where))
    yield from problems
    try:
        if not problems:
            load_golden(path)
    except ProjectError as error:
        yield error
