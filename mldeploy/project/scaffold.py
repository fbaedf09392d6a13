"""The files that `mldeploy init` writes: rendered first, then written all together or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from mldeploy.config.model import AppTable, BuildTable, CheckTable
from mldeploy.config.sources import OWN_FILE, PYPROJECT
from mldeploy.core.errors import RefusedError
from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.scratch import scratch_folder, sweep
from mldeploy.project.detect import documents
from mldeploy.project.detect.dependencies.dependency import Origin
from mldeploy.project.detect.documents import value_at
from mldeploy.project.detect.folder import DetectedFolder
from mldeploy.project.detect.tables import GUESS, DetectedSetting, Value, list_settings
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import DOCKERIGNORE
from mldeploy.project.proposal import render_dockerignore, render_requirements

REQUIREMENTS = "requirements.txt"
DOCKERFILE = "Dockerfile"
STAGING = ".mldeploy-"
"""Begins the name of the folder in which files are written before they get their names."""


@dataclass(frozen=True)
class NewFile:
    """A file to write. name: below the folder. required: the user requested it, so an existing file is an error;
    otherwise an existing file is kept.
    """

    name: str
    text: str
    required: bool = False


@dataclass(frozen=True)
class ScaffoldResult:
    """The result. written: new files. kept: files that existed and were not changed."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def scaffold_files(folder: DetectedFolder, dockerfile: str | None = None, access: str = "") -> tuple[NewFile, ...]:
    """What `mldeploy init` would write. dockerfile: the rendered recipe, if the user wants to have it.

    access: who may send requests, if the user was asked and does not want the default.
    """
    new_files = [
        NewFile(OWN_FILE, render_toml(folder, access), required=True),
        NewFile(DOCKERIGNORE, render_dockerignore(folder)),
    ]
    listed = folder.dependencies
    is_copied = listed is None or listed.origin is Origin.IMPORTS or dockerfile is not None
    if (text := render_requirements(folder)) is not None and is_copied:
        new_files.append(NewFile(REQUIREMENTS, text))
    if dockerfile is not None:
        new_files.append(NewFile(DOCKERFILE, dockerfile, required=True))
    return tuple(new_files)


def render_toml(folder: DetectedFolder, access: str = "") -> str:
    """Render a commented `mldeploy.toml` with the detected values; further keys are comments. access: a chosen one."""
    lines = [
        "# Written by `mldeploy init`. All keys are optional; `mldeploy help config` lists them.",
    ]
    detected = list_settings(folder)
    lines += explain_guesses(detected)
    for table in ("app", "build", "check"):
        lines += ["", f"[{table}]"]
        lines += [_line(each) for each in detected if each.table == table]
        lines += [f'access = "{access}"  # as you answered'] if access and table == "app" else []
        present = {each.key for each in detected if each.table == table}
        lines += _comments(folder, table, present)
    return "\n".join(lines) + "\n"


ENVIRONMENTS = """
# Environments: the same app under other names. Every table of this file can stand in them: [env.staging.app].
[env.preview]  # `mldeploy ci` deploys one for each pull request

[env.staging]  # mldeploy deploy --env staging

[env.production]  # mldeploy promote staging production
protected = true
"""


def with_environments(files: Iterable[NewFile]) -> tuple[NewFile, ...]:
    """Return the files with the environments that `mldeploy ci` knows in the configuration."""
    return tuple(replace(each, text=each.text + ENVIRONMENTS) if each.name == OWN_FILE else each for each in files)


def explain_guesses(settings: Iterable[DetectedSetting]) -> Iterator[str]:
    """The line that says how guesses are marked, if there are any."""
    if any(each.is_guess for each in settings):
        yield f'# "{GUESS}:" marks a value that no file of this folder says. Check it.'


_COMMENTED_KEYS: dict[str, tuple[str, ...]] = {
    "app": ("entry", "port", "health", "predict", "predict_table", "memory", "workers", "threads", "env_file"),
    "build": ("base_image", "requirements", "system_packages"),
    "check": ("golden", "start_timeout"),
}
"""Keys that are shown as comments with their defaults if they are not detected."""

_MODELS: dict[str, type[BaseModel]] = {"app": AppTable, "build": BuildTable, "check": CheckTable}


def _comments(folder: DetectedFolder, table: str, present: set[str]) -> Iterator[str]:
    """The open keys of a table, each with its default (or an example) and the first sentence of the manual's text."""
    for key in _COMMENTED_KEYS[table]:
        field = _MODELS[table].model_fields[key]
        value = field.default if field.default is not None else (field.examples or [""])[0]
        text = (field.description or "").partition(". ")[0].rstrip(".")
        current = _current_number(folder, key)
        if key not in present:
            yield f"# {key} = {current or json.dumps(value, ensure_ascii=False)}  # {text}"


def _current_number(folder: DetectedFolder, key: str) -> str:
    """The workers or threads of the current server command, shown as a proposal: mldeploy's defaults are measured."""
    names = {"workers": ("-w", "--workers"), "threads": ("--threads",)}.get(key, ())
    numbers = (command.value.number(*names) for command in folder.commands)
    return next((str(number) for number in numbers if number and number <= 256), "")


def _line(setting: DetectedSetting) -> str:
    return f"{setting.key} = {_value(setting.value)}  # {setting.comment}"


def _value(value: Value) -> str:
    """As TOML: its basic strings take all of JSON's escapes, but no raw DEL."""
    if isinstance(value, list):
        inner = ", ".join(_value(each) for each in value)
        return f"[{inner}]" if len(inner) < 90 else "[\n" + "".join(f"    {_value(each)},\n" for each in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_files(root: Path, new: Iterable[NewFile], *, force: bool = False) -> ScaffoldResult:
    """Put the files into the folder: all of them or, after any error, none.

    A file that is there is never changed, unless `force` is given. Raises RefusedError if a required one is there (or
    something that is no file), ProjectError if the folder cannot be written to.
    """
    new = tuple(new)
    there = {each.name for each in new if os.path.lexists(root / each.name)}
    _refuse_existing(root, [each for each in new if each.name in there], force=force)
    pending = [each for each in new if force or each.name not in there]
    try:
        _write_all(root, pending, force=force)
    except FileExistsError as error:
        raise RefusedError(
            str(error.filename2 or root), "was created by another program just now", "Try again."
        ) from error
    except OSError as error:
        what = f"cannot be written to ({(error.strerror or str(error)).lower()}); nothing was changed"
        raise ProjectError(str(root), what, "Check its permissions and the disk.") from error
    return ScaffoldResult(tuple(each.name for each in pending), tuple(each.name for each in new if each not in pending))


def refuse_existing_files(root: Path, *, app: bool, force: bool) -> None:
    """Raise RefusedError if the configuration file is there, before anything slow is done.

    app: also if there is an app.py. force: overwrite them.
    """
    names = (OWN_FILE, "app.py") if app else (OWN_FILE,)
    there = [NewFile(name, "", required=True) for name in names if os.path.lexists(root / name)]
    _refuse_existing(root, there, force=force)


def refuse_if_configured(root: Path) -> None:
    """Raises RefusedError if `pyproject.toml` holds the project's configuration: two of them cannot hold."""
    try:
        text = read_text(root / PYPROJECT)
    except (FileNotFoundError, UnreadableError):
        return
    if value_at(documents.parse_toml_tables(text), "tool", "mldeploy") is not None:
        what = "is this project's configuration already; nothing was written"
        raise RefusedError(f"{PYPROJECT}: tool.mldeploy", what, f"Change it there, or move it into {OWN_FILE}.")


def _refuse_existing(root: Path, there: list[NewFile], *, force: bool) -> None:
    """Raises RefusedError for the first file that is in the way."""
    for each in there:
        path = root / each.name
        if not path.is_file():
            raise RefusedError(str(path), "exists and is not a file; nothing was written", "Move it away.")
        if each.required and not force:
            raise RefusedError(str(path), "exists; nothing was written", "Use --force to overwrite it.")


def _write_all(root: Path, files: list[NewFile], *, force: bool) -> None:
    """Write everything beside its place, then give it its name; on an error, put back what was there."""
    done: list[Path] = []
    sweep(root, STAGING)
    with scratch_folder(root, STAGING) as staging:
        for each in files:
            _write_durably(staging / each.name, each.text)
        try:
            for each in files:
                target = root / each.name
                if force and target.exists():
                    os.link(target, staging / f"{each.name}.before")
                    done.append(target)
                    (staging / each.name).replace(target)
                else:
                    os.link(staging / each.name, target)  # unlike a rename, it never replaces what has come there
                    done.append(target)
        except BaseException:
            for target in done:
                _put_back(target, staging / f"{target.name}.before")
            raise


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _put_back(target: Path, before: Path) -> None:
    with contextlib.suppress(OSError):  # the error that led here is the one to tell
        if before.exists():
            before.replace(target)
        else:
            target.unlink()
