"""What `init` proposes for a folder, and a build without configuration uses: settings, requirements, ignored files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mldeploy.config.load import proposed
from mldeploy.config.resolve import FolderDefaults, resolve
from mldeploy.config.settings import Project
from mldeploy.project.detect.dependencies.consistency import pin_to_models
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.package_sources import REFUSED
from mldeploy.project.detect.findings import Detected, Remark
from mldeploy.project.detect.folder import DetectedFolder, Detection, DetectionOptions, include_all
from mldeploy.project.detect.models.model_list import Model
from mldeploy.project.detect.secrets import is_env_file
from mldeploy.project.detect.tables import build_tables
from mldeploy.project.detect.tree import scan_folder
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import DEFAULT_IGNORED, DOCKERIGNORE, Ignore, ImageFilter, load_dockerignore

FATAL_CODES = ("no-entry", "entry-unreachable", "entry-not-served")
"""Codes of remarks that prevent a configuration and a build."""


def read_folder(root: Path, entry: str = "", *, scaffolded: bool = True, recipe: bool = False) -> DetectedFolder:
    """Read a folder. entry: the app to take, where there are several. recipe: a Dockerfile in it is to be replaced.

    scaffolded: with the `.dockerignore` that `init` would write; a Dockerfile of the folder's own is otherwise sent all
    that Docker would send it. Changes nothing. Raises ProjectError if the folder cannot be read, or has no such app.
    """
    detection = Detection(scan_folder(root), DetectionOptions(entry=entry, recipe=recipe))
    own = load_dockerignore(root)
    if own is not None:
        return detection.folder(ImageFilter(own))
    if detection.base_folder.dockerfile and not scaffolded:
        return detection.folder(include_all)
    ignored = tuple(render_dockerignore(detection.folder(ImageFilter(Ignore.of(DEFAULT_IGNORED)))).splitlines())
    return replace(detection.folder(ImageFilter(Ignore.of(ignored))), ignored=ignored)


def propose_project(folder: DetectedFolder) -> Project:
    """Return the settings of the configuration that `init` would write. Raises ConfigError."""
    raw = proposed(folder.root, build_tables(folder))
    defaults = FolderDefaults(folder.dockerfile, render_requirements(folder), folder.ignored)
    return resolve(raw, defaults)


def find_refusal(folder: DetectedFolder) -> ProjectError | None:
    """Return why no app of the folder can be served, or None. A Dockerfile in the folder decides itself."""
    return None if folder.dockerfile else _error_of(folder, FATAL_CODES)


def find_ambiguity(folder: DetectedFolder) -> ProjectError | None:
    """Return the error for several possible apps, or None."""
    return None if folder.dockerfile else _error_of(folder, ("entries-several",))


def _error_of(folder: DetectedFolder, codes: tuple[str, ...]) -> ProjectError | None:
    error = next((each for each in folder.remarks if each.code in codes), None)
    return ProjectError(_location(folder, error), error.what, error.todo) if error else None


def _location(folder: DetectedFolder, remark: Remark) -> str:
    return str(folder.root) if remark.source.path == "." else f"{folder.root}: {remark.source}"


_IGNORED_BY_TOPIC = {
    "version control and editors": ".git .gitignore .gitattributes .github .hg .svn .vscode .idea",
    "virtual environments": ".venv venv .tox .nox **/node_modules",
    "caches": "**/__pycache__ **/*.py[cod] .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache",
    "notebooks": "**/*.ipynb **/.ipynb_checkpoints",
    "secrets": (
        "**/.env **/.env.* !**/.env.example **/.envrc **/*.key **/id_rsa **/id_dsa **/id_ecdsa **/id_ed25519 **/*.p12 "
        "**/*.pfx **/*.jks **/.netrc **/.pypirc **/.git-credentials **/.aws **/.kube **/.docker **/credentials.json "
        "**/client_secret*.json **/*service?account*.json **/*.tfstate **/*.tfvars **/.streamlit/secrets.toml"
    ),
    "what belongs to training and testing": "mlruns .dvc wandb logs.log htmlcov **/.coverage *.egg-info",
    "mldeploy's and Docker's own files": f"mldeploy.toml Dockerfile {DOCKERIGNORE}",
}


def render_dockerignore(folder: DetectedFolder) -> str:
    """Render a `.dockerignore`: usual exclusions and the secrets of this folder by name; models stay included."""
    lines = ["# Written by `mldeploy init`: what stays out of the image."]
    for what, patterns in _IGNORED_BY_TOPIC.items():
        lines += ["", f"# {what}", *patterns.split()]
    lines += _list_folder_patterns(folder)
    return "\n".join(lines) + "\n"


def _list_folder_patterns(folder: DetectedFolder) -> Iterator[str]:
    """Yield paths that the patterns above may not cover, and heavy data as comments for the user to decide on."""
    secret = sorted({each.source.path for each in folder.remarks if each.code == "secret-file"})
    if named := [*folder.environments, *(path for path in secret if not is_env_file(path.rpartition("/")[2]))]:
        yield from ("", "# found in this folder", *map(_escape_pattern, named))
    heavy = sorted({each.source.path for each in folder.remarks if each.code == "bulk-data"})
    if heavy:
        yield from (
            "",
            "# data: take the # away if the app does not read it",
            *(f"# {_escape_pattern(path)}" for path in heavy),
        )


def _escape_pattern(path: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\!" else char for char in path)


def render_requirements(folder: DetectedFolder) -> str | None:
    """Render what the build installs, in pip's format; None if the folder has such a file, or a Dockerfile.

    Raises ProjectError as `render_list` does.
    """
    listed = folder.dependencies
    if folder.dockerfile or (listed and listed.origin is Origin.REQUIREMENTS):
        return None
    if listed is None:
        return "# Nothing: the app imports nothing but Python's own library.\n"
    return render_list(folder.root, listed, folder.models)


def render_list(root: Path, listed: DependencyList, models: Iterable[Detected[Model]] = ()) -> str:
    """Render a list in pip's format, with paths from the project's folder. models: their versions fill in pins.

    Raises ProjectError if the format cannot express the source of a package: pip would install the bare name from the
    default index, where a different owner may have registered it.
    """
    if problem := _find_source_refusal(root, listed):
        raise problem
    pinned = pin_to_models(listed, models)
    source = listed.path or "the imports of the source, at the versions of the app's environment and its models"
    needed = (each.requirement for each in pinned.dependencies if not each.is_included)
    return "\n".join([f"# By mldeploy, from {source}.", *listed.options, *needed]) + "\n"


def _find_source_refusal(root: Path, listed: DependencyList) -> ProjectError | None:
    """Return the error for package sources that cannot be expressed; None if there are none."""
    refusals = [each for each in listed.remarks if each.code == REFUSED]
    if not refusals:
        return None
    first, *others = refusals
    more = (
        f" (and {len(others)} more of this kind: {', '.join(str(each.source) for each in others[:5])})"
        if others
        else ""
    )
    return ProjectError(f"{root}: {first.source}", first.what + more, first.todo)
