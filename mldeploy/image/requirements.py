"""Which files installing a requirements file needs: the file itself, and what it names in the project's folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from mldeploy.image.files import File, Sort, listing
from mldeploy.project.errors import ProjectError, unreadable
from mldeploy.project.ignore import Ignore
from mldeploy.project.unshippable import EDITABLE, ITSELF, OF_EDITABLE, OF_ITSELF


class _Kind(Enum):
    INCLUDE = auto()
    EDITABLE = auto()
    ITSELF = auto()
    LOCAL = auto()


_FORMS = (
    (_Kind.INCLUDE, re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]*(\S.*)")),
    (_Kind.EDITABLE, EDITABLE),
    (_Kind.ITSELF, ITSELF),
    (_Kind.LOCAL, re.compile(r"(?:-f|--find-links)[\s=]*(\S.*)")),
    (
        _Kind.LOCAL,
        re.compile(r"(?:[\w.-]+(?:\[[\w., -]*\])?\s*@\s*)?((?:file:|\.{0,2}/)[^\s;]+|[^\s;@]*\.(?:whl|zip|tar\.gz))"),
    ),
)
"""How a line names a file, and where in it the path stands. Standard: pip, Requirements File Format."""


@dataclass(frozen=True)
class _Named:
    kind: _Kind
    path: str
    where: str


def requirement_files(folder: Path, path: str) -> tuple[File, ...]:
    """The requirements file at `path` below `folder`, those that it includes, and the wheels and folders it installs.

    Raises ProjectError: one is missing, lies outside of the folder, or is to be installed in editable mode.
    """
    found: dict[str, File] = {}
    _collect(folder, _Named(_Kind.INCLUDE, path, "build.requirements"), found)
    return tuple(found.values())


def _collect(folder: Path, named: _Named, found: dict[str, File]) -> None:
    if named.path in found:
        return
    file = found[named.path] = _file(folder, named)
    if named.kind is _Kind.INCLUDE:
        for other in _named_in(file):
            _collect(folder, other, found)
    elif file.sort is Sort.FOLDER:
        below = (f"{named.path}/{each.path}" for each in listing(file.source, Ignore(())))
        found.update((path, _file(folder, _Named(named.kind, path, named.where))) for path in below)


def _named_in(file: File) -> Iterator[_Named]:
    text = b"".join(file.chunks()).decode("utf-8-sig", "surrogateescape").replace("\\\n", " \n")
    for number, line in enumerate(text.splitlines(), start=1):
        said = re.sub(r"(^|\s)#.*", "", line).strip()
        for kind, form in _FORMS:
            if match := form.match(said):
                if "://" not in match[1].replace("file://", ""):
                    path = match[1].strip("\"' ").removeprefix("file:").partition("[")[0]
                    inside = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))
                    yield _Named(kind, inside, f"{file.path}:{number}")
                break


def _file(folder: Path, named: _Named) -> File:
    if named.kind is _Kind.EDITABLE:
        raise ProjectError(named.where, *OF_EDITABLE)
    if named.kind is _Kind.ITSELF:
        raise ProjectError(named.where, *OF_ITSELF)
    if named.path.startswith(("../", "/")):
        raise ProjectError(
            named.where, f"{named.path} lies outside of the project's folder", "Move it into the folder."
        )
    source = folder / named.path
    try:
        file = File.at(source.resolve(strict=True), named.path)
    except FileNotFoundError as error:
        raise ProjectError(named.where, f"{named.path} does not exist", "Correct the path, or add the file.") from error
    except OSError as error:
        raise unreadable(source, error) from error
    if file is None:
        raise ProjectError(named.where, f"{named.path} is not a file", "Correct the path.")
    return file
