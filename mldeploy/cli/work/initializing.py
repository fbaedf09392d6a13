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
from mldeploy.project.ignore import Ignore
from mldeploy.project.shipping import Ships, own_ignore
from mldeploy.project.survey import Survey, indecision, proposal, refusal, survey
from mldeploy.ui.views import folder as views


def init(run: Run, directory: Path | None, entry: str, *, dockerfile: bool, force: bool) -> None:
    """Write the files that are not there. dockerfile: the recipe, too."""
    if run.clone:
        what = "what it would write into the clone would be gone with the next command"
        raise UsageError("mldeploy init", what, "Clone the repository yourself: `git clone`.")
    run = run if directory is None else _at(run, directory)
    scaffold.refuse_if_configured(run.folder)
    found = _look(run, entry, recipe=dockerfile)
    files = scaffold.files(found.folder, _recipe(found) if dockerfile else None)
    written = scaffold.write(found.folder.root, files, force=force)
    document = describe.initialized(found.folder, written)
    terse, commands = run.output.manner.quiet, run.commands(DEFAULT_TARGET)
    run.output.result(document, lambda page: views.initialized(document, page, commands, terse=terse))


def _at(run: Run, directory: Path) -> Run:
    """The same command in a folder that stands as an argument."""
    if run.given is not None and Path(run.given) != directory:
        raise UsageError("mldeploy init", f"two folders were given, {run.given} and {directory}", "Name one.")
    return replace(run, given=str(directory))


def _look(run: Run, entry: str, *, recipe: bool) -> Survey:
    """The folder as it will be once `.dockerignore` is there. Raises ProjectError if it has no app to serve."""
    found = survey(run.folder, entry, recipe=recipe)
    if indecision(found.folder):
        found = survey(run.folder, _ask(run, found.folder), recipe=recipe)
    if problem := refusal(found.folder):
        raise problem
    return found


def _recipe(found: Survey) -> str:
    from mldeploy.image.standalone import standalone  # noqa: PLC0415 - it brings Jinja, and is seldom asked for

    ignore = own_ignore(found.folder.root) or Ignore.of(found.ignored)
    return standalone(proposal(found), Ships(ignore))


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
