"""Load the project in a folder: the configuration, completed from the folder and checked against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.errors import joined
from mldeploy.config.override import Overrides
from mldeploy.config.settings import Project
from mldeploy.core.files import UnreadableError, opened, reason
from mldeploy.project.certificates import read_certificates
from mldeploy.project.completion import AssumedSetting, CompletedConfig
from mldeploy.project.entry import find_command_problem, find_entry_problem, import_roots
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import load_golden

if TYPE_CHECKING:
    from mldeploy.project.detect.findings import Remark
import os

from mldeploy.config.load import absolute


@dataclass(frozen=True)
class CheckedProject:
    """A project whose files pass all checks before a build.

    configured: it has a configuration file; otherwise the one that `init` would write applies. assumed: the detected
    settings. written: the keys of [app] that the user has set. remarks: possible problems that do not prevent a build.
    """

    project: Project
    configured: bool
    assumed: tuple[AssumedSetting, ...]
    remarks: tuple[Remark, ...]
    written: frozenset[str] = frozenset()


def load_project(folder: Path, overrides: Overrides = ()) -> CheckedProject:
    """Read the configuration, complete it from the folder, and check that the files it names exist.

    Imports and runs no user code. May be repeated. Raises ConfigError, or one ProjectError with all problems.
    """
    require_folder(folder)
    try:
        completion = CompletedConfig(folder, overrides)
        project = completion.project()
        problems = list(_find_problems(completion, project))
    except OSError as error:  # a folder on the way that may not be entered
        raise ProjectError(str(error.filename or folder), reason(error), "Check its permissions.") from error
    if problems:
        raise joined(problems)
    return CheckedProject(
        project, completion.is_configured, tuple(completion.assumed()), completion.remarks(), completion.written
    )


def _find_problems(completion: CompletedConfig, project: Project) -> Iterator[ProjectError]:
    app, build = project.app, project.build
    where = completion.raw.written.location
    if app.health_by == "server" and (build.dockerfile is not None or app.command):
        what = "requires the server of mldeploy, but the app starts its own server"
        yield ProjectError(where("app.health_by"), what, 'Name a path of the app: health = "/…".')
    if project.served:
        yield from _find_served_problems(completion, project)
    elif build.dockerfile is not None:
        yield from _find_missing_file(app.folder, build.dockerfile, where("build.dockerfile"))
    else:
        yield from _find_start_problems(completion, project)
    if build.dockerfile is None and build.requirements_text is None:
        yield from _find_missing_file(app.folder, build.requirements, where("build.requirements"))
    for model in app.models:
        if model not in {each.path for each in project.served}:
            yield from _find_missing_file(app.folder, model, where("app.models"))
    if build.ca_bundle is not None:
        yield from _find_certificate_problems(build.ca_bundle, where("build.ca_bundle"))
    if project.check.golden is not None:
        yield from _find_golden_problems(project.check.golden, where("check.golden"))


_OF_SERVED = ("entry", "interface", "command", "chdir", "health", "health_by", "predict", "predict_table")
"""Keys of [app] that [model] sets."""


def _find_served_problems(completion: CompletedConfig, project: Project) -> Iterator[ProjectError]:
    """Yield why the models of [model] cannot be served without an app."""
    from mldeploy.project.served import find_model_problems  # noqa: PLC0415 - only such a project needs it

    where = completion.raw.written.location
    todo = "Remove it. To serve an app that loads the model, remove [model] instead."
    for key in _OF_SERVED:
        if key in completion.raw.tables.app.model_fields_set:
            yield ProjectError(where(f"app.{key}"), "does not apply to a model that is served without an app", todo)
    if project.build.dockerfile is not None:
        yield ProjectError(where("build.dockerfile"), "does not apply to a model that is served without an app", todo)
    yield from find_model_problems(project)


def _find_start_problems(completion: CompletedConfig, project: Project) -> Iterator[ProjectError]:
    """Yield why the recipe of mldeploy cannot start the app."""
    where, app = completion.raw.written.location, project.app
    start = app.folder / app.chdir
    if refused := completion.refusal():
        yield refused
    elif not start.is_dir() or not start.resolve().is_relative_to(app.folder):
        todo = "Set it to the folder in which the app starts."
        yield ProjectError(where("app.chdir"), f"{app.chdir} is no folder in {app.folder}", todo)
    elif app.command:
        if (problem := find_command_problem(start, app.command)) is not None:
            yield ProjectError(where("app.command"), *problem)
    elif (what := find_entry_problem(start, app.entry, import_roots(package=project.build.package))) is not None:
        yield ProjectError(where("app.entry"), what, _entry_remedy(completion))


def _entry_remedy(completion: CompletedConfig) -> str:
    from mldeploy.project.detect.serving import start_settings  # noqa: PLC0415 - only a mistake needs it

    entry = completion.detected.entry
    if entry is None:
        return 'Set app.entry to the app object, such as "app:app".'
    settings = start_settings(entry.value)
    also = f' and app.chdir = "{settings.chdir}"' if settings.chdir else ""
    return (
        f'Set app.entry = "{settings.entry}"{also}.'
        if settings.entry
        else f"Set app.command: it is {entry.value.framework}."
    )


def _find_missing_file(folder: Path, name: str, where: str) -> Iterator[ProjectError]:
    """The problem of a file that is to be copied into the image, if it has one."""
    problems = list(_find_unreadable(folder / name, where))
    yield from problems
    if not problems and not (folder / name).resolve().is_relative_to(folder):
        yield ProjectError(
            where, f"{name} is a link to a file outside of the project folder", "Copy the file into the folder."
        )


def _find_unreadable(path: Path, where: str) -> Iterator[ProjectError]:
    try:
        with opened(path):
            return
    except FileNotFoundError:
        yield ProjectError(where, f"there is no file {path}", "Create it, or correct the setting.")
    except UnreadableError as error:
        yield ProjectError(where, f"{path} {error.what}")


def _find_certificate_problems(path: Path, where: str) -> Iterator[ProjectError]:
    try:
        read_certificates(path, where)
    except ProjectError as error:
        yield error


def _find_golden_problems(path: Path, where: str) -> Iterator[ProjectError]:
    problems = list(_find_unreadable(path, where))
    yield from problems
    try:
        if not problems:
            load_golden(path)
    except ProjectError as error:
        yield error


_NAME_IT = "Set the project folder with -C."


def require_folder(folder: Path) -> None:
    """Raises ProjectError (or ConfigError for an invalid name) unless it is a readable folder."""
    path = absolute(folder)
    try:
        os.scandir(path).close()
    except FileNotFoundError as error:
        raise ProjectError(str(path), "there is no such folder", _NAME_IT) from error
    except NotADirectoryError as error:
        what = "is a file, not a folder" if path.exists() else "there is no such folder"
        raise ProjectError(str(path), what, _NAME_IT) from error
    except OSError as error:
        raise ProjectError(str(path), reason(error), "Check its permissions.") from error
