"""The files that a requirements file needs: itself, and the files and folders that it names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from mldeploy.core.decoding import decode_text
from mldeploy.image.context import Member, Text
from mldeploy.image.files import ContextFile, Sort, list_files, require_inside
from mldeploy.project.detect.dependencies.requirements_txt import (
    EDITABLE_OPTION,
    EDITABLE_PROBLEM,
    PROJECT_PROBLEM,
    PROJECT_REQUIREMENT,
)
from mldeploy.project.errors import ProjectError, unreadable_error
from mldeploy.project.ignore import Ignore


class _Kind(Enum):
    INCLUDE = auto()
    EDITABLE = auto()
    ITSELF = auto()
    LOCAL = auto()


_FORMS = (
    (_Kind.INCLUDE, re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]*(\S.*)")),
    (_Kind.EDITABLE, EDITABLE_OPTION),
    (_Kind.ITSELF, PROJECT_REQUIREMENT),
    (_Kind.LOCAL, re.compile(r"(?:-f|--find-links)[\s=]*(\S.*)")),
    (
        _Kind.LOCAL,
        re.compile(r"(?:[\w.-]+(?:\[[\w., -]*\])?\s*@\s*)?((?:file:|\.{0,2}/)[^\s;]+|[^\s;@]*\.(?:whl|zip|tar\.gz))"),
    ),
)
"""How a line names a file; group 1 is the path. Standard: pip, Requirements File Format."""


@dataclass(frozen=True)
class _NamedFile:
    kind: _Kind
    path: str
    where: str


def requirement_files(folder: Path, path: str) -> tuple[Member, ...]:
    """Return the requirements file at `path` below `folder`, its includes, and its local wheels and folders.

    Lists in another encoding become UTF-8, which uv reads. Raises ProjectError: one is missing, lies outside of the
    folder, or is to be installed in editable mode.
    """
    files: dict[str, Member] = {}
    _collect(folder, _NamedFile(_Kind.INCLUDE, path, "build.requirements"), files)
    return tuple(files.values())


def requirement_files_of_text(folder: Path, path: str, text: str) -> tuple[Member, ...]:
    """Return the same for a generated requirements file at `path`, without that file. Raises ProjectError."""
    files: dict[str, Member] = {}
    for named in _parse_named_files(path, text):
        _collect(folder, named, files)
    return tuple(files.values())


def lock_files(folder: Path, paths: Iterable[str]) -> tuple[ContextFile, ...]:
    """Return the files of the project that a tool reads to export a lock. Raises ProjectError."""
    return tuple(_file(folder, _NamedFile(_Kind.LOCAL, path, "build.requirements")) for path in paths)


def read_requirement_text(member: Member) -> str:
    """Return the text of a list. Raises ProjectError."""
    return decode_text(member.content if isinstance(member, Text) else member.read_all())


def _collect(folder: Path, first: _NamedFile, files: dict[str, Member]) -> None:
    waiting = [first]  # a chain of includes may be longer than Python's stack
    while waiting:
        named = waiting.pop()
        if named.path in files:
            continue
        file = _file(folder, named)
        files[named.path] = file
        if named.kind is _Kind.INCLUDE:
            data = file.read_all()
            text = decode_text(data)
            if text.encode() != data:
                files[named.path] = Text(named.path, text.encode())
            waiting += reversed(list(_parse_named_files(file.path, text)))
        elif file.sort is Sort.FOLDER:
            below = (f"{named.path}/{each.path}" for each in list_files(file.source, Ignore(())))
            files.update((path, _file(folder, _NamedFile(named.kind, path, named.where))) for path in below)


def _parse_named_files(list_path: str, text: str) -> Iterator[_NamedFile]:
    for number, line in enumerate(text.replace("\\\n", " \n").splitlines(), start=1):
        requirement = re.sub(r"(^|\s)#.*", "", line).strip()
        for kind, form in _FORMS:
            if match := form.match(requirement):
                if "://" not in match[1].replace("file://", ""):
                    path = match[1].strip("\"' ").removeprefix("file:").partition("[")[0]
                    inside = posixpath.normpath(posixpath.join(posixpath.dirname(list_path), path))
                    yield _NamedFile(kind, inside, f"{list_path}:{number}")
                break


def _file(folder: Path, named: _NamedFile) -> ContextFile:
    if named.kind is _Kind.EDITABLE:
        raise ProjectError(named.where, *EDITABLE_PROBLEM)
    if named.kind is _Kind.ITSELF:
        raise ProjectError(named.where, *PROJECT_PROBLEM)
    if named.path.startswith(("../", "/")):
        raise ProjectError(
            named.where, f"{named.path} lies outside of the project's folder", "Move it into the folder."
        )
    source = folder / named.path
    try:
        real = source.resolve(strict=True)
        require_inside(real, folder, f"{named.where}: {named.path}")
        file = ContextFile.at(real, named.path)
    except FileNotFoundError as error:
        raise ProjectError(named.where, f"{named.path} does not exist", "Correct the path, or add the file.") from error
    except OSError as error:
        raise unreadable_error(source, error) from error
    if file is None:
        raise ProjectError(named.where, f"{named.path} is not a file", "Correct the path.")
    return file
