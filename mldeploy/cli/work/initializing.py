"""`init`: look at the folder, ask what only the user can know, write what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mldeploy.cli.describe import folder as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.run import Run
from mldeploy.image.assembly import USUALLY_IGNORED
from mldeploy.image.files import unreadable
from mldeploy.image.ignore import Ignore
from mldeploy.project import scaffold
from mldeploy.project.detect import Folder, Options, detect
from mldeploy.project.errors import ProjectError
from mldeploy.ui.views import folder as views

FATAL = ("no-entry", "entry-unreachable", "entry-not-served")
"""Without an app that can be served there is nothing to configure: nothing is written."""


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
    options = Options(entry=entry, ships=_Ships(run.folder, USUALLY_IGNORED))
    folder = detect(run.folder, options)
    if folder.entry is None and folder.entries:
        options = replace(options, entry=_ask(run, folder))
        folder = detect(run.folder, options)
    fatal = next((remark for remark in folder.remarks if remark.code in FATAL and not folder.dockerfile), None)
    if fatal:
        raise ProjectError(f"{folder.root}: {fatal.source}", fatal.what, fatal.todo)
    patterns = scaffold.dockerignore(folder).splitlines()
    return detect(run.folder, replace(options, ships=_Ships(run.folder, patterns)))


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


class _Ships:
    """Whether a file would get into the image: by the folder's own `.dockerignore`, else by these patterns."""

    def __init__(self, folder: Path, patterns: tuple[str, ...] | list[str]) -> None:
        path = folder / scaffold.DOCKERIGNORE
        try:
            own = path.read_text("utf-8", "surrogateescape") if path.is_file() else None
        except OSError as error:
            raise unreadable(path, error) from error
        self._ignore = Ignore.of(patterns) if own is None else Ignore.parse(own, str(path))

    def __call__(self, path: str) -> bool:
        matches: tuple[bool, ...] = ()
        excluded = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            excluded, matches = self._ignore.judge("/".join(parts[:depth]), matches)
        return not excluded
