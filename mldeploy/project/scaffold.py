"""The files that `mldeploy init` writes: made as texts first, then put into the folder all together or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from mldeploy.config.files import UnreadableError, read_text
from mldeploy.config.model import AppTable, BuildTable, CheckTable
from mldeploy.config.sources import OWN_FILE, PYPROJECT
from mldeploy.core.errors import RefusedError
from mldeploy.project.detect import documents
from mldeploy.project.detect.documents import at
from mldeploy.project.detect.folder import Folder
from mldeploy.project.detect.tables import Setting, Value, settings
from mldeploy.project.dockerignore import dockerignore
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import NAME
from mldeploy.project.requirements import requirements

REQUIREMENTS = "requirements.txt"
DOCKERFILE = "Dockerfile"


@dataclass(frozen=True)
class NewFile:
    """A file to be written. name: below the folder. required: the user asked for it, so one that is there is in the
    way; otherwise one that is there is as good.
    """

    name: str
    text: str
    required: bool = False


@dataclass(frozen=True)
class Written:
    """What became of the files. kept: were there already, and were left as they are."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def files(folder: Folder, dockerfile: str | None = None) -> tuple[NewFile, ...]:
    """What `mldeploy init` would write. dockerfile: the rendered recipe, if the user wants to have it."""
    found = [NewFile(OWN_FILE, toml(folder), required=True), NewFile(NAME, dockerignore(folder))]
    if (text := requirements(folder)) is not None:
        found.append(NewFile(REQUIREMENTS, text))
    if dockerfile is not None:
        found.append(NewFile(DOCKERFILE, dockerfile, required=True))
    return tuple(found)


def toml(folder: Folder) -> str:
    """A commented `mldeploy.toml` with what was found; the rest stands there as comments to fill in."""
    lines = [
        "# Written by `mldeploy init` from what it found in this folder. Every key has a default: what is not here",
        "# need not be. docs/configuration.md has all keys.",
    ]
    found = settings(folder)
    for table in ("app", "build", "check"):
        lines += ["", f"[{table}]"]
        lines += [_line(each) for each in found if each.table == table]
        present = {each.key for each in found if each.table == table}
        lines += _comments(folder, table, present)
    return "\n".join(lines) + "\n"


_OPEN: dict[str, tuple[str, ...]] = {
    "app": ("entry", "port", "health", "predict", "predict_table", "memory", "workers", "threads", "env_file"),
    "build": ("base_image", "requirements", "system_packages"),
    "check": ("golden", "start_timeout"),
}
"""The keys that are shown with their defaults where nothing was found for them."""

_MODELS: dict[str, type[BaseModel]] = {"app": AppTable, "build": BuildTable, "check": CheckTable}


def _comments(folder: Folder, table: str, present: set[str]) -> Iterator[str]:
    """The open keys of a table, each with its default (or an example) and the first sentence of the manual's text."""
    for key in _OPEN[table]:
        field = _MODELS[table].model_fields[key]
        value = field.default if field.default is not None else (field.examples or [""])[0]
        text = (field.description or "").partition(". ")[0].rstrip(".")
        said = _said_of(folder, key)
        if key not in present:
            yield f"# {key} = {said or json.dumps(value, ensure_ascii=False)}  # {text}"


def _said_of(folder: Folder, key: str) -> str:
    """What today's server command says of workers and threads: a proposal, for mldeploy's own numbers are measured."""
    names = {"workers": ("-w", "--workers"), "threads": ("--threads",)}.get(key, ())
    numbers = (found.value.number(*names) for found in folder.commands)
    return next((str(number) for number in numbers if number and number <= 256), "")


def _line(setting: Setting) -> str:
    text = f"{setting.key} = {_value(setting.value)}"
    return f"{text}  # {setting.why}"


def _value(value: Value) -> str:
    """As TOML: its basic strings take all of JSON's escapes, but no raw DEL."""
    if isinstance(value, list):
        inner = ", ".join(_value(each) for each in value)
        return f"[{inner}]" if len(inner) < 90 else "[\n" + "".join(f"    {_value(each)},\n" for each in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(root: Path, new: Iterable[NewFile], *, force: bool = False) -> Written:
    """Put the files into the folder: all of them or, after any error, none.

    A file that is there is never changed, unless `force` is given. Raises RefusedError if a required one is there (or
    something that is no file), ProjectError if the folder cannot be written to.
    """
    new = tuple(new)
    there = {each.name for each in new if os.path.lexists(root / each.name)}
    _refuse(root, [each for each in new if each.name in there], force=force)
    wanted = [each for each in new if force or each.name not in there]
    try:
        _write_all(root, wanted, force=force)
    except FileExistsError as error:
        raise RefusedError(
            str(error.filename2 or root), "was made by another program just now", "Try again."
        ) from error
    except OSError as error:
        what = f"cannot be written to ({(error.strerror or str(error)).lower()}); nothing was changed"
        raise ProjectError(str(root), what, "Check its permissions and the disk.") from error
    return Written(tuple(each.name for each in wanted), tuple(each.name for each in new if each not in wanted))


def refuse_if_configured(root: Path) -> None:
    """Raises RefusedError if `pyproject.toml` holds the project's configuration: two of them cannot hold."""
    try:
        text = read_text(root / PYPROJECT)
    except (FileNotFoundError, UnreadableError):
        return
    if at(documents.toml(text), "tool", "mldeploy") is not None:
        what = "is this project's configuration already; nothing was written"
        raise RefusedError(f"{PYPROJECT}: tool.mldeploy", what, f"Change it there, or move it into {OWN_FILE}.")


def _refuse(root: Path, there: list[NewFile], *, force: bool) -> None:
    """Raises RefusedError for the first file that is in the way."""
    for each in there:
        path = root / each.name
        if not path.is_file():
            raise RefusedError(str(path), "is there already and is no file; nothing was written", "Move it away.")
        if each.required and not force:
            raise RefusedError(str(path), "is there already, and nothing was written", "Say --force to write it anew.")


def _write_all(root: Path, wanted: list[NewFile], *, force: bool) -> None:
    """Write everything beside its place, then give it its name; on an error, put back what was there."""
    done: list[Path] = []
    with tempfile.TemporaryDirectory(prefix=".mldeploy-", dir=root) as name:
        staging = Path(name)
        for each in wanted:
            _write_durably(staging / each.name, each.text)
        try:
            for each in wanted:
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
