"""What the project in a folder is: its configuration, completed from the folder and checked against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.errors import joined
from mldeploy.config.files import UnreadableError, opened, reason
from mldeploy.config.override import Overrides
from mldeploy.config.settings import App, Project
from mldeploy.project.command import command_problem
from mldeploy.project.completion import Assumed, Completion
from mldeploy.project.entry import entry_problem
from mldeploy.project.errors import ProjectError
from mldeploy.project.folder import require_folder
from mldeploy.project.golden import load_golden

if TYPE_CHECKING:
    from mldeploy.project.detect.findings import Remark


@dataclass(frozen=True)
class Inspection:
    """A project that can be built as far as its files can tell.

    configured: it has a configuration; otherwise the one that `init` would write holds. assumed: what nobody wrote.
    remarks: what looks wrong without being in the way.
    """

    project: Project
    configured: bool
    assumed: tuple[Assumed, ...]
    remarks: tuple[Remark, ...]


def inspect(folder: Path, overrides: Overrides = ()) -> Inspection:
    """Read the configuration, complete it from what stands in the folder, and check that what it names exists.

    Imports and runs nothing of the user's. May be repeated. Raises ConfigError, or one ProjectError for all that is
    missing.
    """
    require_folder(folder)
    try:
        completion = Completion(folder, overrides)
        project = completion.project()
        problems = list(_problems(completion, project))
    except OSError as error:  # a folder on the way that may not be entered
        raise ProjectError(str(error.filename or folder), reason(error), "Check its permissions.") from error
    if problems:
        raise joined(problems)
    return Inspection(project, completion.is_configured, tuple(completion.assumed()), completion.remarks())


def surmise(folder: Path) -> Project:
    """The same settings, for what is deployed already: nothing is checked, whatever has become of the folder's files.

    Raises ConfigError, or ProjectError if the folder cannot be read.
    """
    return Completion(folder, ()).project()


def _problems(completion: Completion, project: Project) -> Iterator[ProjectError]:
    app, build = project.app, project.build
    where = completion.raw.written.place
    if app.health_by == "server" and (build.dockerfile is not None or app.command):
        what = "is for an app that mldeploy's own server serves, and this one brings another"
        yield ProjectError(where("app.health_by"), what, 'Name a path of the app: health = "/…".')
    if build.dockerfile is not None:
        yield from _missing(app.folder, build.dockerfile, where("build.dockerfile"))
    else:
        yield from _start_problems(completion, app)
        if build.requirements_text is None:
            yield from _missing(app.folder, build.requirements, where("build.requirements"))
    for model in app.models:
        yield from _missing(app.folder, model, where("app.models"))
    if build.ca_bundle is not None:
        yield from _unreadable(build.ca_bundle, where("build.ca_bundle"))
    if project.check.golden is not None:
        yield from _golden_problems(project.check.golden, where("check.golden"))


def _start_problems(completion: Completion, app: App) -> Iterator[ProjectError]:
    """Why our recipe cannot start the app."""
    where = completion.raw.written.place
    start = app.folder / app.chdir
    if refused := completion.refusal():
        yield refused
    elif not start.is_dir() or not start.resolve().is_relative_to(app.folder):
        todo = "Name the folder in which the app is to be started."
        yield ProjectError(where("app.chdir"), f"{app.chdir} is no folder in {app.folder}", todo)
    elif app.command:
        if (problem := command_problem(start, app.command)) is not None:
            yield ProjectError(where("app.command"), *problem)
    elif (what := entry_problem(start, app.entry)) is not None:
        yield ProjectError(where("app.entry"), what, _entry_remedy(completion))


def _entry_remedy(completion: Completion) -> str:
    from mldeploy.project.detect.serving import start  # noqa: PLC0415 - only a mistake needs it

    found = completion.survey.folder.entry
    if found is None:
        return 'Set app.entry to what is to be served, such as "app:app".'
    said = start(found.value)
    also = f' and app.chdir = "{said.chdir}"' if said.chdir else ""
    return (
        f'Set app.entry = "{said.entry}"{also}.' if said.entry else f"Set app.command: it is {found.value.framework}."
    )


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
