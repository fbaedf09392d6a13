"""The export of the recipe as a Dockerfile: `docker build .` in the project's folder builds the same image."""

from __future__ import annotations

import base64
import json
import posixpath
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.image.build_inputs import (
    OWN_CERTIFICATES,
    PACKAGE,
    PACKAGE_PROGRAM,
    SETTINGS,
    BuildInputs,
    collect_build_inputs,
)
from mldeploy.image.context import Text
from mldeploy.image.files import ContextFile, Sort
from mldeploy.image.recipe.render import render_dockerfile
from mldeploy.image.recipe.serving import APP
from mldeploy.image.recipe.variables import Recipe
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import DOCKERIGNORE

_BUILDER = "builder/"
_NEEDED = f"{_BUILDER}requirements/"
UNPACKING = (
    "import base64,json,sys,zlib;"
    "files=json.loads(zlib.decompress(base64.b64decode(sys.stdin.read())));"
    "[open(name,'wb').write(text.encode()) for name,text in files.items()]"
)
"""A Python program that writes the programs of an archive to the current folder."""


@dataclass(frozen=True)
class ExportContext:
    """The recipe's variables for a build in the project's folder.

    programs: names of mldeploy's programs. archive: all of them, for `unpacking`. copies: of the requirements, each
    with its destination last. package: of what the project's build backend reads. models: their paths. left_out: files
    that are never in the image.
    """

    programs: tuple[str, ...]
    archive: str
    unpacking: str
    copies: tuple[tuple[str, ...], ...]
    package: tuple[tuple[str, ...], ...]
    models: tuple[str, ...]
    left_out: tuple[str, ...]


def export_dockerfile(project: Project, ships: Callable[[str], bool]) -> str:
    """Return the Dockerfile. ships: whether `.dockerignore` includes a path.

    Raises ProjectError as `collect_build_inputs` does, and if `.dockerignore` excludes requirements.
    """
    inputs = collect_build_inputs(project)
    app = project.app
    secret = app.env_file if app.env_file and app.env_file.is_relative_to(app.folder) else None
    left_out = (OWN_CERTIFICATES, SETTINGS, *((secret.relative_to(app.folder).as_posix(),) if secret else ()))
    requirements = tuple(_requirements(inputs, ships))
    programs, copies = dict(_programs(inputs)), tuple(_copies(requirements))
    package = tuple(_package_copies(inputs, ships))
    context = ExportContext(tuple(programs), _pack(programs), UNPACKING, copies, package, app.models, left_out)
    return render_dockerfile(_recipe(inputs), alone=context)


def _recipe(inputs: BuildInputs) -> Recipe:
    if inputs.recipe is None:
        raise ValueError("a custom Dockerfile cannot be exported")
    return inputs.recipe


def _programs(inputs: BuildInputs) -> Iterator[tuple[str, str]]:
    for each in inputs.members:
        if isinstance(each, Text) and each.path.startswith(_BUILDER) and each.path.endswith(".py"):
            yield each.path.removeprefix(_BUILDER), each.content.decode()
        elif isinstance(each, Text) and each.path == PACKAGE_PROGRAM:
            yield each.path, each.content.decode()


def _pack(programs: Mapping[str, str]) -> str:
    """Pack programs into one word of a shell command: a thousand lines of them would hide the Dockerfile's own."""
    return base64.b64encode(zlib.compress(json.dumps(programs).encode(), 9)).decode()


def _requirements(inputs: BuildInputs, ships: Callable[[str], bool]) -> Iterator[str]:
    """Yield the paths of the requirement files."""
    for each in inputs.members:
        if not each.path.startswith(_NEEDED) or (isinstance(each, ContextFile) and each.sort is Sort.FOLDER):
            continue
        path = each.path.removeprefix(_NEEDED)
        if not ships(path):
            raise ProjectError(f"{DOCKERIGNORE}: {path}", "is excluded, but the build needs it", "Remove the line.")
        if isinstance(each, Text) and inputs.project.build.requirements_text is None:
            raise ProjectError(
                path, "is not in UTF-8, and a build without mldeploy cannot convert it", "Save it as UTF-8."
            )
        yield path


def _package_copies(inputs: BuildInputs, ships: Callable[[str], bool]) -> Iterator[tuple[str, ...]]:
    """Yield sources and destination of an instruction for each folder of the package's files."""
    folders: dict[str, list[str]] = {}
    for each in inputs.members:
        path = each.path.removeprefix(PACKAGE)
        if path != each.path and ships(path):
            folders.setdefault(posixpath.dirname(path), []).append(path)
    for folder, sources in folders.items():
        yield (*sources, f"{APP}/{folder}/" if folder else f"{APP}/")


def _copies(paths: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Sources and destination of an instruction for each folder.

    The first includes the optional certificates: Docker requires that at least one source exists.
    """
    folders: dict[str, list[str]] = {"": [f"{OWN_CERTIFICATES[:-1]}[{OWN_CERTIFICATES[-1]}]"]}
    for path in paths:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    if len(folders[""]) == 1:  # one source must exist
        folders[""].append(paths[0])
    for folder, sources in folders.items():
        yield (*sources, f"./{folder}/" if folder else "./")
