"""Everything that decides an image, gathered from the project: the context, the recipe, and the hash over both."""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import certifi

from mldeploy.config.settings import Build, Project
from mldeploy.image.context import Member, Text, below, digest
from mldeploy.image.dockerfile import bases
from mldeploy.image.files import File, Sort, listing
from mldeploy.image.recipe import Recipe
from mldeploy.image.requirements import requirement_files
from mldeploy.image.serving import GUNICORN_FILE, GunicornFile, interface
from mldeploy.image.torch import torch_backend
from mldeploy.image.types import BaseDigest
from mldeploy.project.errors import ProjectError, unreadable
from mldeploy.project.ignore import NAME, Ignore
from mldeploy.project.shipping import USUALLY_IGNORED, own_ignore

FORMAT = 1
"""Goes into every hash. It grows when the same inputs begin to make another image."""

CERTIFICATES = "builder/certificates.pem"

_GUNICORN = ("gunicorn_conf.py", "mldeploy_wsgi.py", "mldeploy_health.py")
_SERVERS = {"wsgi": _GUNICORN, "asgi": (*_GUNICORN, "mldeploy_asgi.py"), "": ()}
"""What our server needs beside its packages, by what it speaks."""
OWN_CERTIFICATES = "certificates.pem"
"""Where a Dockerfile of the user's own may have them: no builder has another way to hand a file to `docker build .`."""

SETTINGS = "mldeploy.toml"
"""Read before the image is built, never in it: another port for the outside is not another image. A Dockerfile of the
user's own that names the file gets it."""


@dataclass(frozen=True)
class Assembly:
    """What one image is made of. recipe: None where the user's own Dockerfile is used, whose text is `dockerfile`."""

    project: Project
    members: tuple[Member, ...]
    recipe: Recipe | None
    dockerfile: str = ""

    def digest(self, base: BaseDigest) -> str:
        """SHA-256 of everything that decides the image, 64 hex digits. Reads every file."""
        build = self.project.build
        content = digest(each for each in self.members if not _is_trust(each))
        recipe = self.recipe.digest() if self.recipe else self.dockerfile
        decisive = [FORMAT, self.project.app.name, content, recipe, base.digests, build.platform, build.args]
        return hashlib.sha256(json.dumps(decisive).encode("utf-8", "surrogateescape")).hexdigest()


def _is_trust(member: Member) -> bool:
    """Whose certificates are trusted decides how an image is built, and not what."""
    return isinstance(member, Text) and member.path in {CERTIFICATES, OWN_CERTIFICATES}


def bases_of(project: Project) -> tuple[str, ...]:
    """The images that the project's image stands on. Raises ProjectError if its own Dockerfile cannot be read."""
    build = project.build
    return bases(_own_dockerfile(project), dict(build.args)) if build.dockerfile else (build.base_image,)


def assemble(project: Project) -> Assembly:
    """Look through the project's folder. Raises ProjectError for what is missing, unreadable or contradictory."""
    if project.build.dockerfile:
        dockerfile = _own_dockerfile(project)
        found = _files(project, Ignore(()))
        files = tuple(each for each in found if each.path != SETTINGS or SETTINGS in dockerfile)
        return Assembly(project, (*files, *_trusted(project, files, dockerfile)), None, dockerfile)
    files = tuple(each for each in _files(project, _usually(project)) if each.path != SETTINGS)
    models = tuple(_models(project, files))
    taken = {each.path for each in models if each.sort is not Sort.FOLDER}
    rest = tuple(each for each in files if each.path not in taken)
    code = tuple(filter(_is_code, rest))
    assets = itertools.filterfalse(_is_code, rest)
    own = _gunicorn_file(project, code)
    layers = (*below("model/app", models), *below("assets/app", assets), *below("code/app", code))
    requirements = tuple(_requirements(project.app.folder, project.build))
    members = (*_builder(project), *requirements, *layers)
    return Assembly(project, members, Recipe.of(project, own, torch_backend(project.build, requirements)))


def _gunicorn_file(project: Project, code: tuple[File, ...]) -> GunicornFile | None:
    """The user's own: the one where the server starts, else the one at the top."""
    places = (posixpath.join(project.app.chdir, GUNICORN_FILE), GUNICORN_FILE)
    found = next((each for place in places for each in code if each.path == place), None)
    if found is None:
        return None
    text = b"".join(found.chunks())
    said = set(re.findall(rb"^\s*(worker_class|chdir)\b", text, re.MULTILINE))
    return GunicornFile(found.path, has_worker=b"worker_class" in said, has_chdir=b"chdir" in said)


def _trusted(project: Project, files: tuple[File, ...], dockerfile: str) -> Iterator[Member]:
    """The certificates for a Dockerfile that asks for them, unless the folder has its own."""
    bundle = project.build.ca_bundle
    asks = OWN_CERTIFICATES in dockerfile.replace("pe[m]", "pem")
    if bundle and asks and OWN_CERTIFICATES not in {each.path for each in files}:
        yield Text(OWN_CERTIFICATES, _certificates(bundle))


def _is_code(file: File) -> bool:
    return file.path.endswith(".py") and file.sort is not Sort.FOLDER


def _files(project: Project, usually: Ignore) -> tuple[File, ...]:
    """What `.dockerignore` lets through, `usually` where there is none; never the file of the container's secrets."""
    folder = project.app.folder
    ignore = own_ignore(folder) or usually
    return tuple(each for each in listing(folder, ignore) if each.source != project.app.env_file)


def _usually(project: Project) -> Ignore:
    if project.build.ignored:
        return Ignore.of(project.build.ignored)
    environments = (each.parent.name for each in project.app.folder.glob("*/pyvenv.cfg"))
    return Ignore.of((*USUALLY_IGNORED, *environments))


def _models(project: Project, files: tuple[File, ...]) -> Iterator[File]:
    """The model files, or all that is in a model's folder. A link to a model elsewhere stands for that model."""
    for model in project.app.models:
        found = [each for each in files if each.path == model or each.path.startswith(f"{model}/")]
        if not found:
            there = (project.app.folder / model).exists()
            what = f"{NAME} excludes it, so the image would have no model" if there else "there is no such model file"
            raise ProjectError(model, what, f"Take it back with a line `!{model}`." if there else "Correct app.models.")
        yield from map(_followed, found)


def _followed(file: File) -> File:
    try:
        return (File.at(file.source.resolve(strict=True), file.path) or file) if file.sort is Sort.LINK else file
    except OSError as error:
        raise unreadable(file.source, error) from error


def _builder(project: Project) -> Iterator[Member]:
    here = Path(__file__)
    for name in ("trim.py", *_SERVERS[interface(project.app)]):
        yield Text(f"builder/{name}", here.with_name(name).read_bytes())
    if project.build.ca_bundle:
        yield Text(CERTIFICATES, _certificates(project.build.ca_bundle))


def _requirements(folder: Path, build: Build) -> Iterator[Member]:
    if build.requirements_text is None:
        return below("builder/requirements", requirement_files(folder, build.requirements))
    return iter([Text(f"builder/requirements/{build.requirements}", build.requirements_text.encode())])


def _certificates(bundle: Path) -> bytes:
    """The user's certificates in addition to the usual ones: what is not intercepted is trusted as ever."""
    try:
        return Path(certifi.where()).read_bytes() + b"\n" + bundle.read_bytes()
    except OSError as error:
        todo = "Correct the setting, or drop it."
        raise ProjectError("build.ca_bundle", f"{bundle} cannot be read ({error.strerror})", todo) from error


def _own_dockerfile(project: Project) -> str:
    source = project.app.folder / str(project.build.dockerfile)
    try:
        return source.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise ProjectError(
            "build.dockerfile", f"{source} does not exist", "Correct the setting, or drop it."
        ) from error
    except OSError as error:
        raise unreadable(source, error) from error
