"""The inputs of a build: the context, the recipe, and the hash of both."""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import certifi

from mldeploy.config.access_keys import KEY
from mldeploy.config.settings import Build, LockExport, LockTool, Project
from mldeploy.core.files import read_text
from mldeploy.image.context import Member, Text, below, digest
from mldeploy.image.dockerfile import bases, list_bases
from mldeploy.image.files import ContextFile, Sort, list_files
from mldeploy.image.recipe.requirements import (
    lock_files,
    read_requirement_text,
    requirement_files,
    requirement_files_of_text,
)
from mldeploy.image.recipe.serving import GUNICORN_FILE, GunicornFile, server_interface
from mldeploy.image.recipe.variables import INDEXES, Recipe
from mldeploy.image.types import BaseDigest
from mldeploy.project.certificates import read_certificates
from mldeploy.project.errors import ProjectError, unreadable_error
from mldeploy.project.ignore import DEFAULT_IGNORED, DOCKERIGNORE, Ignore, load_dockerignore

FORMAT = 1
"""Part of every hash. Increase it when the same inputs produce another image."""

CERTIFICATES = "builder/certificates.pem"
REQUIREMENTS = "builder/requirements/"
"""Where the lists are that the build installs from."""
PACKAGE = "package/"
"""Where the files are that the project's own build backend reads."""
PACKAGE_PROGRAM = "package.py"

_GUNICORN = (
    "gunicorn_conf.py",
    *(
        f"mldeploy_{name}.py"
        for name in (
            *("answers", "balance", "clients", "connection", "framing"),
            *("health", "limits", "listener", "worker", "wsgi"),
        )
    ),
)
_SERVERS = {"wsgi": _GUNICORN, "asgi": (*_GUNICORN, "mldeploy_asgi.py", "mldeploy_guard.py"), "": ()}
"""The server's own files in `server/`, by interface."""
_ACCESS = tuple(f"mldeploy_access{part}.py" for part in ("", "_keys", "_page", "_worker"))
"""What asks for access keys: in no image of an app that is public."""
OWN_CERTIFICATES = "certificates.pem"
"""The certificates' path in the context of a custom Dockerfile."""

SETTINGS = "mldeploy.toml"
"""Not part of the image, so that a change of settings does not change it, unless a custom Dockerfile names the file."""


@dataclass(frozen=True)
class BuildInputs:
    """The inputs of one image. recipe: None for a custom Dockerfile, whose text is `dockerfile`."""

    project: Project
    members: tuple[Member, ...]
    recipe: Recipe | None
    dockerfile: str = ""

    def digest(self, base: BaseDigest) -> str:
        """Return the SHA-256 of all inputs, 64 hex digits. Reads every file."""
        return self._digest(base, self.project.app.name)

    def content_digest(self, base: BaseDigest) -> str:
        """Return the same without the environment: equal in all that build the same image."""
        environment = self.project.app.environment
        return self._digest(base, environment.app if environment else self.project.app.name)

    def _digest(self, base: BaseDigest, app: str) -> str:
        build = self.project.build
        content = digest(each for each in self.members if not _is_trust(each))
        recipe = replace(self.recipe, app=app).digest() if self.recipe else self.dockerfile
        decisive = [FORMAT, app, content, recipe, base.digests, build.platform, build.args]
        return hashlib.sha256(json.dumps(decisive).encode("utf-8", "surrogateescape")).hexdigest()


def _is_trust(member: Member) -> bool:
    """Whether it is a certificate file. These do not change the image."""
    return isinstance(member, Text) and member.path in {CERTIFICATES, OWN_CERTIFICATES}


def list_base_references(project: Project) -> tuple[str, ...]:
    """Return the base images. Raises ProjectError if a custom Dockerfile cannot be read."""
    build = project.build
    if not build.dockerfile:
        return (build.base_image,)
    return bases(_read_dockerfile(project), dict(build.args), build.platform)


def advise_on_base(project: Project, reference: str) -> str:
    """Return what to change if a base image cannot be had: the setting, or the line of a custom Dockerfile."""
    build = project.build
    if not build.dockerfile:
        return "choose another one: build.base_image"
    listed = list_bases(_read_dockerfile(project), dict(build.args), build.platform)
    line = next((each.line for each in listed if each.image == reference), 0)
    todo = f"correct the image in line {line} of {build.dockerfile}"
    return f"{todo}. To build with the recipe of mldeploy instead: `mldeploy init --dockerfile --force`"


def collect_build_inputs(project: Project) -> BuildInputs:
    """Look through the project's folder. Raises ProjectError for what is missing, unreadable_error or contradictory."""
    if project.build.dockerfile:
        dockerfile = _read_dockerfile(project)
        listed = _context_files(project, Ignore(()))
        files = tuple(each for each in listed if each.path != SETTINGS or SETTINGS in dockerfile)
        return BuildInputs(project, (*files, *_certificate_members(project, files, dockerfile)), None, dockerfile)
    files = tuple(each for each in _context_files(project, _default_ignore(project)) if each.path != SETTINGS)
    models = tuple(_model_files(project, files))
    taken = {each.path for each in models if each.sort is not Sort.FOLDER}
    taken |= {each.sample for each in project.served if each.sample}
    rest = tuple(each for each in files if each.path not in taken)
    code = tuple(filter(_is_code, rest))
    assets = itertools.filterfalse(_is_code, rest)
    own = _find_gunicorn_file(project, code)
    kept = () if any(each.plan for each in project.served) else models  # a plan stands for the model
    layers = (*below("model/app", kept), *below("assets/app", assets), *below("code/app", code))
    requirements = tuple(list_requirement_members(project.app.folder, project.build))
    backend = choose_torch_backend(project.build, requirements)
    lock = choose_lock(project.build, backend)
    locked = tuple(_lock_members(project.app.folder, project.build, lock))
    package = tuple(_package_members(project))
    members = (*_builder_members(project), *package, *requirements, *locked, *layers, *_served_members(project, models))
    return BuildInputs(project, members, Recipe.of(project, own, backend, lock))


def _find_gunicorn_file(project: Project, code: tuple[ContextFile, ...]) -> GunicornFile | None:
    """Return the user's gunicorn.conf.py: in the start folder, else in the project folder."""
    paths = (posixpath.join(project.app.chdir, GUNICORN_FILE), GUNICORN_FILE)
    file = next((each for path in paths for each in code if each.path == path), None)
    if file is None:
        return None
    text = file.read_all()
    settings = set(re.findall(rb"^\s*(worker_class|chdir|certfile|keyfile|proxy_protocol)\b", text, re.MULTILINE))
    return GunicornFile(
        file.path,
        has_worker=b"worker_class" in settings,
        has_chdir=b"chdir" in settings,
        has_tls=bool(settings & {b"certfile", b"keyfile", b"proxy_protocol"}),
    )


def _certificate_members(project: Project, files: tuple[ContextFile, ...], dockerfile: str) -> Iterator[Member]:
    """Yield the certificates if a custom Dockerfile uses them and the folder has none."""
    bundle = project.build.ca_bundle
    is_used = OWN_CERTIFICATES in dockerfile.replace("pe[m]", "pem")
    if bundle and is_used and OWN_CERTIFICATES not in {each.path for each in files}:
        yield Text(OWN_CERTIFICATES, _read_bundle(bundle))


def _is_code(file: ContextFile) -> bool:
    return file.path.endswith(".py") and file.sort is not Sort.FOLDER


def _context_files(project: Project, usually: Ignore) -> tuple[ContextFile, ...]:
    """Return the files that `.dockerignore`, or else `usually`, does not exclude, without `env_file`."""
    folder = project.app.folder
    ignore = load_dockerignore(folder) or usually
    return tuple(each for each in list_files(folder, ignore) if each.source != project.app.env_file)


def _default_ignore(project: Project) -> Ignore:
    if project.build.ignored:
        return Ignore.of(project.build.ignored)
    environments = (each.parent.name for each in project.app.folder.glob("*/pyvenv.cfg"))
    return Ignore.of((*DEFAULT_IGNORED, *environments))


def _model_files(project: Project, files: tuple[ContextFile, ...]) -> Iterator[ContextFile]:
    """Yield the model files and the contents of model folders. Links to models are followed."""
    for model in project.app.models:
        matches = [each for each in files if each.path == model or each.path.startswith(f"{model}/")]
        if not matches:
            there = (project.app.folder / model).exists()
            what = (
                f"{DOCKERIGNORE} excludes it, so the image would have no model"
                if there
                else "there is no such model file"
            )
            todo = f"Add the line `!{model}` to {DOCKERIGNORE}." if there else "Correct app.models."
            raise ProjectError(model, what, todo)
        yield from map(_follow_link, matches)


def _follow_link(file: ContextFile) -> ContextFile:
    """Resolve a link."""
    try:
        return (ContextFile.at(file.source.resolve(strict=True), file.path) or file) if file.sort is Sort.LINK else file
    except OSError as error:
        raise unreadable_error(file.source, error) from error


def _builder_members(project: Project) -> Iterator[Member]:
    here = Path(__file__).parent
    interface = server_interface(project.app)
    access = _ACCESS if interface and project.app.access == KEY else ()
    for path in ("recipe/trim.py", *(f"server/{name}" for name in (*_SERVERS[interface], *access))):
        yield Text(f"builder/{Path(path).name}", (here / path).read_bytes())
    if project.build.ca_bundle:
        yield Text(CERTIFICATES, _read_bundle(project.build.ca_bundle))


def _served_members(project: Project, models: tuple[ContextFile, ...]) -> Iterator[Member]:
    """Yield what serves the models of an app without code."""
    if project.served:
        from mldeploy.image.recipe.served_models import list_description_files, list_package_files  # noqa: PLC0415 - for them alone

        yield from list_package_files()
        yield from list_description_files(project.app.folder, project.served, models)


def list_requirement_members(folder: Path, build: Build) -> Iterator[Member]:
    """Yield the lists that the build installs from, and what they name, below builder/requirements/."""
    if build.requirements_text is None:
        return _below_requirements(requirement_files(folder, build.requirements))
    made = Text(f"{REQUIREMENTS}{build.requirements_file}", build.requirements_text.encode())
    named = requirement_files_of_text(folder, build.requirements_file, build.requirements_text)
    return iter([made, *_below_requirements(named)])


def choose_lock(build: Build, torch_backend: str) -> LockExport | None:
    """Return the lock that its tool exports in the build.

    None if it has PyTorch from the default index, of which the image gets the build for the processor: other files,
    with other dependencies.
    """
    text, lock = build.requirements_text or "", build.lock
    is_exported = lock is not None and lock.tool is not LockTool.BACKEND
    return None if is_exported and torch_backend and _TORCH.search(text) else lock


_TORCH = re.compile(r"^torch==", re.MULTILINE)


def _lock_members(folder: Path, build: Build, lock: LockExport | None) -> Iterator[Member]:
    if lock is None:
        return
    yield from _below_requirements(lock_files(folder, lock.files))
    options = (line for line in (build.requirements_text or "").splitlines() if line.startswith("--"))
    yield Text(f"{REQUIREMENTS}{INDEXES}", "".join(f"{line}\n" for line in options).encode())


def _package_members(project: Project) -> Iterator[Member]:
    """Yield what the build backend of the project reads, for a project that is installed as a package."""
    if project.build.package:
        from mldeploy.project.detect.dependencies.own_package import list_package_files  # noqa: PLC0415 - for them alone
        from mldeploy.project.detect.tree import scan_folder  # noqa: PLC0415

        paths = list_package_files(scan_folder(project.app.folder))
        yield from (replace(each, path=f"{PACKAGE}{each.path}") for each in lock_files(project.app.folder, paths))
        yield Text(f"{PACKAGE_PROGRAM}", (Path(__file__).parent / "recipe" / "own_package.py").read_bytes())


def _below_requirements(members: Iterable[Member]) -> Iterator[Member]:
    return (replace(each, path=f"{REQUIREMENTS}{each.path}") for each in members)


def _read_bundle(bundle: Path) -> bytes:
    """Return the usual certificates and the user's."""
    return Path(certifi.where()).read_bytes() + b"\n" + read_certificates(bundle, "build.ca_bundle")


def _read_dockerfile(project: Project) -> str:
    source = project.app.folder / str(project.build.dockerfile)
    try:
        return read_text(source, encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise ProjectError(
            "build.dockerfile", f"{source} does not exist", "Correct the setting, or remove it."
        ) from error
    except OSError as error:
        raise unreadable_error(source, error) from error


CPU = "cpu"

_OTHER_SOURCE = re.compile(
    r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b"
    r"|^\s*torch(vision|audio)?\b[^#;]*(\+\w|@)",
    re.MULTILINE,
)
"""A requirements file that names an index, or the build itself: `torch==2.3.0+cu121`."""


def choose_torch_backend(build: Build, requirements: Iterable[Member]) -> str:
    """`cpu`, or "" if the image is for a GPU or another source of PyTorch is configured.

    https://docs.astral.sh/uv/guides/integration/pytorch/
    """
    if build.gpu or build.index or build.extra_indexes:
        return ""
    if any(name.startswith(("UV_", "PIP_")) and re.search("INDEX|TORCH|FIND_LINKS", name) for name, _ in build.args):
        return ""
    texts = (read_requirement_text(each) for each in requirements if each.path.endswith((".txt", ".in", ".lock")))
    return "" if any(_OTHER_SOURCE.search(text) for text in texts) else CPU
