"""The recipe as a Dockerfile of the user's own: `docker build .` in the project's folder makes the same image."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.image.assembly import OWN_CERTIFICATES, SETTINGS, Assembly, assemble
from mldeploy.image.context import Text
from mldeploy.image.files import File, Sort
from mldeploy.image.recipe import Recipe
from mldeploy.image.render import render
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import NAME

_BUILDER = "builder/"
_NEEDED = f"{_BUILDER}requirements/"


@dataclass(frozen=True)
class Script:
    """A program of ours that the build or the server runs: it stands in the Dockerfile itself."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Alone:
    """What the recipe must know where its context is the project's folder, and not one that mldeploy has sorted.

    copies: of the requirements, each with its destination last. models: their paths. left_out: files of the folder that
    are never in the image.
    """

    scripts: tuple[Script, ...]
    copies: tuple[tuple[str, ...], ...]
    models: tuple[str, ...]
    left_out: tuple[str, ...]


def standalone(project: Project, ships: Callable[[str], bool]) -> str:
    """The text of the Dockerfile. ships: what `.dockerignore` lets through.

    Raises ProjectError as `assemble` does, and for requirements that `.dockerignore` keeps from the build.
    """
    assembly = assemble(project)
    app = project.app
    secret = app.env_file if app.env_file and app.env_file.is_relative_to(app.folder) else None
    left_out = (OWN_CERTIFICATES, SETTINGS, *((secret.relative_to(app.folder).as_posix(),) if secret else ()))
    requirements = tuple(_requirements(assembly, ships))
    alone = Alone(tuple(_scripts(assembly)), tuple(_copies(requirements)), app.models, left_out)
    return render(_recipe(assembly), alone=alone)


def _recipe(assembly: Assembly) -> Recipe:
    if assembly.recipe is None:
        raise ValueError("a Dockerfile of the user's own is no recipe of ours")
    return assembly.recipe


def _scripts(assembly: Assembly) -> Iterator[Script]:
    for each in assembly.members:
        if isinstance(each, Text) and each.path.startswith(_BUILDER) and each.path.endswith(".py"):
            yield Script(each.path.removeprefix(_BUILDER), tuple(each.content.decode().splitlines()))


def _requirements(assembly: Assembly, ships: Callable[[str], bool]) -> Iterator[str]:
    """The paths of the files that installing needs, below the project's folder."""
    for each in assembly.members:
        if not each.path.startswith(_NEEDED) or (isinstance(each, File) and each.sort is Sort.FOLDER):
            continue
        path = each.path.removeprefix(_NEEDED)
        if not ships(path):
            raise ProjectError(f"{NAME}: {path}", "is kept from the build, which needs it", "Remove the line.")
        yield path


def _copies(paths: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Sources and destination of an instruction for each folder.

    The first also asks for the certificates: Docker accepts that they are missing where another file is not.
    """
    folders: dict[str, list[str]] = {"": [f"{OWN_CERTIFICATES[:-1]}[{OWN_CERTIFICATES[-1]}]"]}
    for path in paths:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    if len(folders[""]) == 1:  # every requirement lies deeper: this one is certain to be there
        folders[""].append(paths[0])
    for folder, sources in folders.items():
        yield (*sources, f"./{folder}/" if folder else "./")
