"""The checks of the app's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mldeploy.config.sources import OWN_FILE
from mldeploy.core.errors import MldeployError
from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.folder.content import content
from mldeploy.doctor.folder.interrupted import interrupted
from mldeploy.project.errors import ProjectError
from mldeploy.providers.checks import Check, Finding, error, ok, warning

CONTENT_SECONDS = 10.0
"""Every file is looked at, and small ones are searched for keys."""
_SIGNS = (OWN_FILE, "pyproject.toml", "requirements.txt", "Dockerfile", "Procfile", "*.py", "*/*.py")
"""A folder that has none of these is no app's: somebody wants to know whether the machine is ready."""


def checks(about: Circumstances) -> Sequence[Check]:
    """What is wrong with the configuration is said in its own group."""
    project = about.reading.project
    if not is_an_apps(about.folder):
        return (Check("folder", lambda: _no_app(about.folder)),)
    found = [Check("project", lambda: _project(about))]
    if project:
        found.append(Check("last command", lambda: interrupted(project.app.name, about.target)))
    if project and about.reading.problem is None:
        found.append(Check("context", lambda: content(project), CONTENT_SECONDS))
    return found


def is_an_apps(folder: Path) -> bool:
    """Whether anything in the folder says that an app is meant. One that does not exist is a slip, not an answer."""
    try:
        return not folder.is_dir() or any(True for sign in _SIGNS for _ in folder.glob(sign))
    except OSError:
        return True


def _no_app(folder: Path) -> Iterator[Finding]:
    what = f"there is no app in {folder.absolute()}: only the machine is looked at"
    yield warning("folder", what, "Run it in the app's folder, or name that with -C.")


def _project(about: Circumstances) -> Iterator[Finding]:
    problem, project = about.reading.problem, about.reading.project
    if isinstance(problem, ProjectError):
        yield from _problems(problem)
    if project and problem is None:
        yield ok("app", f"{project.app.name} in {project.app.folder}")
    for note in about.reading.notes:
        subject, _, what = note.partition(": ")
        yield ok(subject, what)


def _problems(problem: MldeployError) -> Iterator[Finding]:
    """A line for each of the problems that one error tells."""
    first, *others = problem.what.split("\n")
    yield error(problem.where, first, problem.todo)
    for other in others:
        where, _, what = other.partition(": ")
        yield error(where, what)
