"""Checks of the files in the image: their size, large files and secrets."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import psutil

from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.sources import OWN_FILE
from mldeploy.core.errors import MldeployError
from mldeploy.core.files import read_bytes
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.lock import Holder
from mldeploy.core.scratch import leftovers, sweep
from mldeploy.core.step import Resource
from mldeploy.doctor.context import DoctorContext, join_words
from mldeploy.image.build_inputs import collect_build_inputs
from mldeploy.image.files import ContextFile, Sort
from mldeploy.project.detect.file_checks import find_bulk_data, format_size
from mldeploy.project.detect.findings import Remark
from mldeploy.project.detect.secrets import find_secrets
from mldeploy.project.detect.starts import dockerfile
from mldeploy.project.detect.tree import scan_folder
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import DOCKERIGNORE
from mldeploy.project.scaffold import STAGING
from mldeploy.providers.capabilities import DoctorCheck, Finding, Fix, error, ok, warning

LARGE_BYTES = 100 * 10**6
"""In bytes, without models. Code is smaller; the rest is data or an environment."""
LISTED_LIMIT = 3


@dataclass(frozen=True)
class ImageContent:
    """The project's files in the image: paths relative to the folder, and sizes in bytes."""

    project: Project
    sizes: dict[str, int]

    @classmethod
    def of(cls, project: Project) -> ImageContent:
        """List the files as `build` does. Raises ProjectError."""
        folder = project.app.folder
        files = (
            each
            for each in collect_build_inputs(project).members
            if isinstance(each, ContextFile) and each.sort is Sort.FILE
        )
        inside = (each for each in files if each.source.is_relative_to(folder))
        return cls(project, {each.source.relative_to(folder).as_posix(): each.size for each in inside})

    @property
    def beside_models(self) -> int:
        """The size of all files except the models, in bytes."""
        models = self.project.app.models
        return sum(
            size
            for path, size in self.sizes.items()
            if not any(path == model or path.startswith(f"{model}/") for model in models)
        )


def check_content(project: Project) -> Iterator[Finding]:
    """Check the image's files. Raises ProjectError if they cannot be listed."""
    image_content = ImageContent.of(project)
    yield _check_ignore_file(project)
    yield _report_size(image_content)
    yield from _check_unneeded_files(image_content)


def _check_ignore_file(project: Project) -> Finding:
    if (project.app.folder / DOCKERIGNORE).exists():
        return ok(DOCKERIGNORE, "exists, and is applied as Docker does")
    if project.build.dockerfile is None:
        return ok(
            DOCKERIGNORE, "none; version control, virtual environments, caches and .env files are excluded by default"
        )
    todo = "`mldeploy init` writes one that excludes .git, virtual environments, caches and secrets."
    return warning(DOCKERIGNORE, f"none, so the build context of {project.build.dockerfile} is the whole folder", todo)


def _report_size(image_content: ImageContent) -> Finding:
    largest = sorted(image_content.sizes.items(), key=lambda entry: -entry[1])[:LISTED_LIMIT]
    named = ", ".join(f"{path} ({format_size(count)})" for path, count in largest)
    what = f"{format_size(sum(image_content.sizes.values()))} in {len(image_content.sizes)} files"
    what += f"; the largest: {named}" if named else ""
    if image_content.beside_models < LARGE_BYTES:
        return ok("context", what)
    todo = f"Keep out what the app does not read, with lines in {DOCKERIGNORE}; name models in `models` in [app]."
    return warning("context", what, todo)


def _check_unneeded_files(image_content: ImageContent) -> Iterator[Finding]:
    tree = scan_folder(image_content.project.app.folder)
    own = dockerfile.find_dockerfile(tree)
    remarks = [
        *find_secrets(tree, own, image_content.sizes.__contains__),
        *find_bulk_data(tree, image_content.sizes.__contains__, lambda _: False),
    ]
    yield from map(_finding, filter(lambda remark: _concerns_image(remark, image_content, own), remarks))


def _concerns_image(remark: Remark, image_content: ImageContent, own: dockerfile.Dockerfile | None) -> bool:
    """Whether a remark is about a file or folder in the image, or about its Dockerfile."""
    path = remark.source.path
    inside = any(each == path or each.startswith(f"{path}/") for each in image_content.sizes)
    return inside or (own is not None and path == own.path and image_content.project.build.dockerfile == path)


def _finding(remark: Remark) -> Finding:
    return warning(str(remark.source), remark.what, remark.todo)


CONTENT_SECONDS = 10.0
"""All files are listed, and small ones are searched for keys."""
_APP_FILES = (OWN_FILE, "pyproject.toml", "requirements.txt", "Dockerfile", "Procfile", "*.py", "*/*.py")
"""A folder without any of these contains no app: only the machine is checked."""


def folder_checks(context: DoctorContext) -> Sequence[DoctorCheck]:
    """Return the folder's checks. The configuration's own group reports its errors."""
    project = context.reading.project
    remains = DoctorCheck("temporary files", lambda: check_temporary_files(context.folder))
    if not contains_app(context.folder):
        return (DoctorCheck("folder", lambda: _no_app(context.folder)), remains)
    result = [DoctorCheck("project", lambda: _project(context)), remains]
    if project:
        result.append(DoctorCheck("last command", lambda: check_interrupted(project.app.name, context.target)))
    if project and context.reading.problem is None:
        result.append(DoctorCheck("context", lambda: check_content(project), CONTENT_SECONDS))
    return result


def contains_app(folder: Path) -> bool:
    """Whether the folder may contain an app. True for a missing folder, which is probably a mistake."""
    try:
        return not folder.is_dir() or any(True for sign in _APP_FILES for _ in folder.glob(sign))
    except OSError:
        return True


def _no_app(folder: Path) -> Iterator[Finding]:
    what = f"there is no app in {folder.absolute()}: only the machine is checked"
    yield warning("folder", what, "Run it in the app's folder, or set the folder with -C.")


def _project(context: DoctorContext) -> Iterator[Finding]:
    problem, project = context.reading.problem, context.reading.project
    if isinstance(problem, ProjectError):
        yield from _problems(problem)
    if project and problem is None:
        yield ok("app", f"{project.app.name} in {project.app.folder}")
    for note in context.reading.notes:
        subject, _, what = note.partition(": ")
        yield ok(subject, what)


def _problems(problem: MldeployError) -> Iterator[Finding]:
    """Return a finding for each problem of one error."""
    first, *others = problem.what.split("\n")
    yield error(problem.where, first, problem.todo)
    for other in others:
        where, _, what = other.partition(": ")
        yield error(where, what)


SUBJECT = "last command"
CLOCK_STEP = 2.0
"""In seconds. The tolerance between a lock's time and its process's start, for rounding and clock changes."""


@dataclass(frozen=True)
class InterruptedCommand:
    """The lock and journal of one scope. holder: the lock's holder; None if the last command ended normally."""

    scope: Scope
    holder: Holder | None
    begun: tuple[Resource, ...]

    @property
    def runs(self) -> bool:
        """Whether the holder's process still runs on this machine."""
        holder = self.holder
        if holder is None or holder.host != socket.gethostname():
            return False
        try:
            began = psutil.Process(holder.pid).create_time()
        except psutil.Error:
            return False
        return began <= datetime.fromisoformat(holder.since).timestamp() + CLOCK_STEP


def check_interrupted(app: str, target: str) -> Iterator[Finding]:
    """Check the app's locks and journals for a target, without locking. Raises StateError, ConfigError."""
    folder = state_folder()
    for command in _list_interrupted(folder, app, target):
        yield from _report_interrupted(command, folder)


def check_temporary_files(folder: Path) -> Iterator[Finding]:
    """Check for temporary files of killed commands in TMPDIR and in the app's folder."""
    leftover_paths = (*leftovers(), *leftovers(folder, STAGING))
    if leftover_paths:

        def remove() -> None:
            sweep()
            sweep(folder, STAGING)

        what = f"a command that was killed left {join_words(map(str, leftover_paths))}"
        fix = Fix("remove the temporary files of commands that were killed", remove)
        yield warning("temporary files", what, "`mldeploy doctor --fix` removes them.", fix)


def _report_interrupted(command: InterruptedCommand, folder: Path) -> Iterator[Finding]:
    begun = join_words(str(each) for each in command.begun) if command.begun else ""
    if command.holder is None:
        if begun:
            yield ok(SUBJECT, f"ended normally; created so far: {begun}")
    elif command.runs:
        yield warning(SUBJECT, f"{command.holder} is still running", "Wait until it ends before you start another one.")
    elif begun:
        todo = "`mldeploy deploy` resumes it; `mldeploy destroy` removes what it has created."
        yield warning(SUBJECT, f"{command.holder} was interrupted; it had started: {begun}", todo)
    else:
        fix = Fix(
            "remove the lock of a command that was interrupted before its first step", lambda: _clear(command, folder)
        )
        what = f"{command.holder} was interrupted before its first step"
        yield warning(SUBJECT, what, "No action is required. `mldeploy doctor --fix` removes its lock.", fix)


def _clear(command: InterruptedCommand, folder: Path) -> None:
    """Open and close an empty journal, which leaves no file. Raises LockedError if another command has started."""
    Journal(folder, command.scope, "mldeploy doctor --fix").close()


def _list_interrupted(folder: Path, app: str, target: str) -> Iterator[InterruptedCommand]:
    locks_folder = Scope(app, target).file(folder).parent
    for file in sorted(
        {each.with_suffix(".journal") for each in (*locks_folder.glob("*.lock"), *locks_folder.glob("*.journal"))}
    ):
        names = [_unquote(part) for part in file.stem.split("@")]
        if names[0] == target:
            scope = Scope(app, target, tuple(names[1:]))
            yield InterruptedCommand(scope, _holder(file.with_suffix(".lock")), read(folder, scope))


def _unquote(part: str) -> str:
    """The inverse of how `Scope.file` writes a name."""
    return part[1:] if part.startswith("%") and not part[1:].strip(".") else unquote(part)


def _holder(lock: Path) -> Holder | None:
    try:
        return Holder.parse(read_bytes(lock, follow=False))
    except OSError:
        return None
