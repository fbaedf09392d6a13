"""How the runner gets what the app and its tests import: from the list that `init` finds, with the tool it is for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mldeploy.ci.configured import pyproject
from mldeploy.ci.linting import Tool
from mldeploy.project.detect import requirements_txt
from mldeploy.project.detect.dependency import Listing, Origin
from mldeploy.project.detect.documents import at, items, table, toml
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.requirements_txt import parsed
from mldeploy.project.detect.tree import Tree

PIP = "python -m pip install"
OF_IMPORTS = "what the source imports"
_KEPT = '"$RUNNER_TEMP/requirements.txt"'
_CONDA = '"$CONDA/bin/conda"'
_UV_PIP = 'uv pip install --python "$(command -v python)"'
"""Into the Python that stands first on PATH, be it in a virtual environment or not."""
_PLACE = '--prefix "$RUNNER_TEMP/environment"'
_OF_DEVELOPERS = tuple(
    name
    for kind in ("dev", "test", "tests", "lint", "development")
    for name in (f"requirements-{kind}.txt", f"requirements_{kind}.txt", f"{kind}-requirements.txt",
                 f"requirements/{kind}.txt")
)  # fmt: skip
_GROUPS = ("dev", "test", "tests", "lint")
_LISTS = (("dependency-groups",), ("project", "optional-dependencies"))


@dataclass(frozen=True)
class Installation:
    """what: the list that it is made from, for the step's name. lines: bash. within: what stands before `python`.

    listed: distributions that are there then. chosen: those that somebody has listed for developers.
    cached: a file by whose content what pip downloads is kept.
    """

    what: str
    lines: tuple[str, ...]
    within: str = ""
    listed: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    cached: str = ""

    def with_tools(self, tools: tuple[Tool, ...]) -> tuple[str, ...]:
        """The lines, and one for those tools that the list does not bring."""
        missing = dict.fromkeys(each.package for each in tools if each.package and each.package not in self.listed)
        return (*self.lines, *((f"{self.within}{PIP} {' '.join(missing)}",) if missing else ()))

    def run(self, tool: Tool) -> str:
        """The line that runs a tool."""
        return f"{self.within}python -m {tool.module} {tool.arguments}".rstrip()


def installation(tree: Tree, listing: Listing | None) -> Installation:
    """For the list of dependencies that counts; None: the app needs nothing."""
    files, named = _of_developers(tree)
    chosen = named | _of_groups(tree)
    if listing is None:
        lines = (f"{PIP} {_options(files)}",) if files else ()
        return Installation(files[0] if files else "", lines, listed=named, chosen=chosen)
    match listing.origin:
        case Origin.REQUIREMENTS:
            made = _requirements(tree, listing)
        case Origin.PYPROJECT:
            made = _pyproject(tree, listing)
        case origin:
            made = _BY_ORIGIN[origin](listing)
    installed = named if listing.origin is Origin.REQUIREMENTS else frozenset[str]()
    return replace(made, listed=frozenset(listing.names) | installed, chosen=chosen)


def _requirements(tree: Tree, listing: Listing) -> Installation:
    files, _ = _of_developers(tree)
    return Installation(listing.path, (f"{PIP} {_options((listing.path, *files))}",), cached=listing.path)


def _options(files: tuple[str, ...]) -> str:
    return " ".join(f"--requirement {shlex.quote(name)}" for name in files)


def _of_developers(tree: Tree) -> tuple[tuple[str, ...], frozenset[str]]:
    """Further requirements files beside the app's, and the distributions that they name."""
    files = tuple(name for name in _OF_DEVELOPERS if tree.get(name))
    return files, frozenset().union(*(requirements_txt.listing(tree, name).names for name in files))


def _uv_lock(listing: Listing) -> Installation:
    export = f"uv export --frozen --no-emit-project --quiet --output-file {_KEPT}"
    lines = (f"{PIP} uv", export, f"{PIP} --requirement {_KEPT}")
    return Installation(listing.path, lines, cached=listing.path)


def _pylock(listing: Listing) -> Installation:
    lines = (f"{PIP} uv", f"{_UV_PIP} --requirement {listing.path}")
    return Installation(listing.path, lines)


def _poetry(listing: Listing) -> Installation:
    lines = ("pipx install poetry", "poetry install --no-interaction --no-root")
    return Installation(listing.path, lines, "poetry run ")


def _pyproject(tree: Tree, listing: Listing) -> Installation:
    """The project itself is not installed: not every one that names its dependencies can be."""
    tables = pyproject(tree)
    if not table(tables, "project"):
        return _poetry(listing)
    groups = "".join(f" --group {name}" for name in _GROUPS if at(tables, "dependency-groups", name) is not None)
    extras = "".join(f" --extra {each}" for each in _GROUPS if at(tables, "project", "optional-dependencies", each))
    lines = (f"{PIP} uv", f"{_UV_PIP} --requirement {listing.path}{extras}{groups}")
    return Installation(listing.path, lines, cached=listing.path)


def _pipenv(listing: Listing) -> Installation:
    locked = listing.origin is Origin.PIPFILE_LOCK
    install = "pipenv sync --dev" if locked else "pipenv install --dev --skip-lock"
    return Installation(listing.path, ("pipx install pipenv", install), "pipenv run ")


def _conda(listing: Listing) -> Installation:
    """conda is on GitHub's runners, in the folder that CONDA names."""
    line = f"{_CONDA} env create --quiet --file {shlex.quote(listing.path)} {_PLACE}"
    return Installation(listing.path, (line,), f"{_CONDA} run --no-capture-output {_PLACE} ")


def _imports(listing: Listing) -> Installation:
    needed = " ".join(shlex.quote(each.requirement) for each in listing.dependencies)
    return Installation(OF_IMPORTS, (f"{PIP} {needed}",))


_BY_ORIGIN: Mapping[Origin, Callable[[Listing], Installation]] = {
    Origin.UV_LOCK: _uv_lock,
    Origin.POETRY_LOCK: _poetry,
    Origin.PYLOCK: _pylock,
    Origin.PIPFILE_LOCK: _pipenv,
    Origin.PIPFILE: _pipenv,
    Origin.CONDA: _conda,
    Origin.IMPORTS: _imports,
}


def _of_groups(tree: Tree) -> frozenset[str]:
    """The distributions of the groups for developers, in whatever file they stand."""
    tables = pyproject(tree)
    listed = [items(tables, *where, name) for name in _GROUPS for where in _LISTS]
    listed.append(items(tables, "tool", "uv", "dev-dependencies"))
    texts = [each for group in listed for each in group if isinstance(each, str)]
    named = [table(tables, "tool", "poetry", "group", name, "dependencies") for name in _GROUPS]
    named.append(table(tables, "tool", "poetry", "dev-dependencies"))
    if file := tree.get("Pipfile"):
        named.append(table(toml(tree.text(file)), "dev-packages"))
    texts += [name for group in named for name in group]
    source = Source("pyproject.toml")
    return frozenset(found.name for text in texts if (found := parsed(text, source)))
