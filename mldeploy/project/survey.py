"""The folder as `init` reads it, and a build where there is no configuration: detected, and judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.load import proposed
from mldeploy.config.resolve import Found, resolve
from mldeploy.config.settings import Project
from mldeploy.project.detect.findings import Remark
from mldeploy.project.detect.folder import Detection, Folder, Options, everything
from mldeploy.project.detect.tables import tables
from mldeploy.project.detect.tree import scan
from mldeploy.project.dockerignore import dockerignore
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import Ignore
from mldeploy.project.requirements import requirements
from mldeploy.project.shipping import USUALLY_IGNORED, Ships, own_ignore

FATAL = ("no-entry", "entry-unreachable", "entry-not-served")
"""Without an app that can be served there is nothing to configure, and nothing to build."""


@dataclass(frozen=True)
class Survey:
    """What a folder is. ignored: the lines of the `.dockerignore` that it would be given; () where it has one."""

    folder: Folder
    ignored: tuple[str, ...]


def survey(root: Path, entry: str = "", *, scaffolded: bool = True, recipe: bool = False) -> Survey:
    """Read a folder. entry: the app to take, where there are several. recipe: a Dockerfile in it is to be replaced.

    scaffolded: with the `.dockerignore` that `init` would write; a Dockerfile of the folder's own is otherwise sent all
    that Docker would send it. Changes nothing. Raises ProjectError if the folder cannot be read, or has no such app.
    """
    detection = Detection(scan(root), Options(entry=entry, recipe=recipe))
    own = own_ignore(root)
    if own is not None:
        return Survey(detection.folder(Ships(own)), ())
    if detection.found.dockerfile and not scaffolded:
        return Survey(detection.folder(everything), ())
    ignored = tuple(dockerignore(detection.folder(Ships(Ignore.of(USUALLY_IGNORED)))).splitlines())
    return Survey(detection.folder(Ships(Ignore.of(ignored))), ignored)


def proposal(found: Survey) -> Project:
    """The settings that hold once `init` has written down what was found. Raises ConfigError."""
    folder = found.folder
    raw = proposed(folder.root, tables(folder))
    return resolve(raw, Found(folder.dockerfile, requirements(folder), found.ignored))


def refusal(folder: Folder) -> ProjectError | None:
    """Why no app of the folder can be served, or None; with a Dockerfile of its own that is for that to say."""
    return None if folder.dockerfile else _error(folder, FATAL)


def indecision(folder: Folder) -> ProjectError | None:
    """That there are several apps and no telling which is meant, or None."""
    return None if folder.dockerfile else _error(folder, ("entries-several",))


def _error(folder: Folder, codes: tuple[str, ...]) -> ProjectError | None:
    found = next((remark for remark in folder.remarks if remark.code in codes), None)
    return ProjectError(_place(folder, found), found.what, found.todo) if found else None


def _place(folder: Folder, remark: Remark) -> str:
    return str(folder.root) if remark.source.path == "." else f"{folder.root}: {remark.source}"
