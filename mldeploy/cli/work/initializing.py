"""`init`: look at the folder, ask what only the user can know, write what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mldeploy.cli.describe import folder as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.run import Run
from mldeploy.project import scaffold
from mldeploy.project.detect.folder import Folder
from mldeploy.project.survey import indecision, refusal, survey
from mldeploy.ui.views import folder as views


def init(run: Run, directory: Path | None, entry: str, *, force: bool) -> None:
    """Write the files that are not there."""
    run = run if directory is None else _at(run, directory)
    scaffold.refuse_if_configured(run.folder)
    folder = _look(run, entry)
    written = scaffold.write(folder.root, scaffold.files(folder), force=force)
    document = describe.initialized(folder, written)
    terse, commands = run.output.manner.quiet, run.commands(DEFAULT_TARGET)
    run.output.result(document, lambda page: views.initialized(document, page, commands, terse=terse))


def _at(run: Run, directory: Path) -> Run:
    """The same command in a folder that stands as an argument."""
    if run.given is not None and run.given != directory:
        raise UsageError("mldeploy init", f"two folders were given, {run.given} and {directory}", "Name one.")
    return replace(run, given=directory)


def _look(run: Run, entry: str) -> Folder:
    """The folder as it will be once `.dockerignore` is there. Raises ProjectError if it has no app to serve."""
    folder = survey(run.folder, entry).folder
    if indecision(folder):
        folder = survey(run.folder, _ask(run, folder)).folder
    if problem := refusal(folder):
        raise problem
    return folder


def _ask(run: Run, folder: Folder) -> str:
    names = [str(each.value) for each in folder.entries]
    shown = [f"{each.value} ({each.value.framework}, {each.source})" for each in folder.entries]
    if not run.output.is_dialogue:
        what = f"{folder.root} holds several apps: {', '.join(shown)}"
        raise UsageError("mldeploy init", what, "Name the one to serve: --entry NAME.")
    number = run.output.chosen("Which of these apps is to be served?", shown)
    if number is None:
        raise UsageError("mldeploy init", "nothing was written", "")
    return names[number]
