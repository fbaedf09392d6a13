"""How the runner gets what the app and its tests import: from the list that `init` finds, with the tool it is for."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mldeploy.ci.tools import Tool, read_pyproject_tables
from mldeploy.project.detect.dependencies import requirements_txt
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.requirements_txt import parse_requirement
from mldeploy.project.detect.documents import list_at, parse_toml_tables, table_at, value_at
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree

PIP = "python -m pip install"
FROM_IMPORTS = "what the source imports"
_HASH = "--hash"
_PREFIX = 'UV_PROJECT_ENVIRONMENT="$(python -c "import sys; print(sys.prefix)")"'
"""The environment of the Python that stands first on PATH, be it a virtual one or not."""
_CONDA = '"$CONDA/bin/conda"'
_UV_PIP = 'uv pip install --python "$(command -v python)"'
"""Into the Python that stands first on PATH, be it in a virtual environment or not."""
_CONDA_PREFIX = '--prefix "$RUNNER_TEMP/environment"'
_DEVELOPER_FILES = tuple(
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


def plan_installation(tree: Tree, listing: DependencyList | None) -> Installation:
    """For the list of dependencies that counts; None: the app needs nothing."""
    files, named = _developer_requirements(tree)
    chosen = named | _group_distributions(tree)
    if listing is None:
        lines = (f"{PIP} {_options(files)}",) if files else ()
        return Installation(files[0] if files else "", lines, listed=named, chosen=chosen)
    match listing.origin:
        case Origin.REQUIREMENTS:
            made = _install_requirements(tree, listing)
        case Origin.PYPROJECT:
            made = _install_pyproject(tree, listing)
        case Origin.UV_LOCK:
            made = _install_uv_lock(tree, listing)
        case origin:
            made = _BY_ORIGIN[origin](listing)
    installed = named if listing.origin is Origin.REQUIREMENTS else frozenset[str]()
    return replace(made, listed=frozenset(listing.names) | installed, chosen=chosen)


def _install_requirements(tree: Tree, listing: DependencyList) -> Installation:
    files, _ = _developer_requirements(tree)
    options = _options((listing.path, *files))
    if any(_HASH in tree.text(file) for name in (listing.path, *files) if (file := tree.get(name))):
        # pip wants a hash of everything as soon as one line has one, and a Git repository has none.
        return Installation(listing.path, (f"{PIP} uv", f"{_UV_PIP} {options}"), cached=listing.path)
    return Installation(listing.path, (f"{PIP} {options}",), cached=listing.path)


def _options(files: tuple[str, ...]) -> str:
    return " ".join(f"--requirement {shlex.quote(name)}" for name in files)


def _developer_requirements(tree: Tree) -> tuple[tuple[str, ...], frozenset[str]]:
    """Further requirements files beside the app's, and the distributions that they name."""
    files = tuple(name for name in _DEVELOPER_FILES if tree.get(name))
    return files, frozenset().union(*(requirements_txt.read_requirements(tree, name).names for name in files))


def _install_uv_lock(tree: Tree, listing: DependencyList) -> Installation:
    """uv itself installs what it has locked: it alone takes each package from the index that the lock names."""
    tables = read_pyproject_tables(tree)
    # uv installs the group `dev` unasked, and the others where the project says so.
    groups = "".join(f" --group {name}" for name in _GROUPS[1:] if value_at(tables, "dependency-groups", name))
    project = "" if _is_package(tables) else " --no-install-project"
    folder = posixpath.dirname(listing.path)
    where = f" --project {shlex.quote(folder)}" if folder else ""
    sync = f"{_PREFIX} uv sync --frozen --inexact{project}{groups}{_extras(tables)}{where}"
    return Installation(listing.path, (f"{PIP} uv", sync), cached=listing.path)


def _is_package(tables: Mapping[str, object]) -> bool:
    """Whether the project can be installed: its tests then import it as it is installed."""
    declared = value_at(tables, "tool", "uv", "package")
    return declared is True or (declared is not False and bool(table_at(tables, "build-system")))


def _extras(tables: Mapping[str, object]) -> str:
    extras = (each for each in _GROUPS if value_at(tables, "project", "optional-dependencies", each))
    return "".join(f" --extra {each}" for each in extras)


def _install_pylock(listing: DependencyList) -> Installation:
    lines = (f"{PIP} uv", f"{_UV_PIP} --requirement {listing.path}")
    return Installation(listing.path, lines)


def _install_poetry(listing: DependencyList) -> Installation:
    lines = ("pipx install poetry", "poetry install --no-interaction --no-root")
    return Installation(listing.path, lines, "poetry run ")


def _install_pyproject(tree: Tree, listing: DependencyList) -> Installation:
    """The project itself is installed if it names what builds it."""
    tables = read_pyproject_tables(tree)
    if not table_at(tables, "project"):
        return _install_poetry(listing)
    groups = "".join(f" --group {name}" for name in _GROUPS if value_at(tables, "dependency-groups", name) is not None)
    lines = [f"{PIP} uv", f"{_UV_PIP} --requirement {listing.path}{_extras(tables)}{groups}"]
    if _is_package(tables) and listing.path == Origin.PYPROJECT:
        lines.append(f"{_UV_PIP} --no-deps --editable .")
    return Installation(listing.path, tuple(lines), cached=listing.path)


def _install_pipenv(listing: DependencyList) -> Installation:
    locked = listing.origin is Origin.PIPFILE_LOCK
    install = "pipenv sync --dev" if locked else "pipenv install --dev --skip-lock"
    return Installation(listing.path, ("pipx install pipenv", install), "pipenv run ")


def _install_conda(listing: DependencyList) -> Installation:
    """conda is on GitHub's runners, in the folder that CONDA names."""
    line = f"{_CONDA} env create --quiet --file {shlex.quote(listing.path)} {_CONDA_PREFIX}"
    return Installation(listing.path, (line,), f"{_CONDA} run --no-capture-output {_CONDA_PREFIX} ")


def _install_imports(listing: DependencyList) -> Installation:
    needed = " ".join(shlex.quote(each.requirement) for each in listing.dependencies if not each.is_included)
    options = "".join(f"{each} " for each in listing.options)
    return Installation(listing.path or FROM_IMPORTS, (f"{PIP} {options}{needed}".rstrip(),))


_BY_ORIGIN: Mapping[Origin, Callable[[DependencyList], Installation]] = {
    Origin.POETRY_LOCK: _install_poetry,
    Origin.PYLOCK: _install_pylock,
    Origin.PIPFILE_LOCK: _install_pipenv,
    Origin.PIPFILE: _install_pipenv,
    Origin.CONDA: _install_conda,
    Origin.IMPORTS: _install_imports,
    Origin.SCRIPT: _install_imports,
    Origin.SETUP_CFG: _install_imports,
    Origin.SETUP_PY: _install_imports,
}


def _group_distributions(tree: Tree) -> frozenset[str]:
    """The distributions of the groups for developers, in whatever file they stand."""
    tables = read_pyproject_tables(tree)
    listed = [list_at(tables, *where, name) for name in _GROUPS for where in _LISTS]
    listed.append(list_at(tables, "tool", "uv", "dev-dependencies"))
    texts = [each for group in listed for each in group if isinstance(each, str)]
    named = [table_at(tables, "tool", "poetry", "group", name, "dependencies") for name in _GROUPS]
    named.append(table_at(tables, "tool", "poetry", "dev-dependencies"))
    if file := tree.get("Pipfile"):
        named.append(table_at(parse_toml_tables(tree.text(file)), "dev-packages"))
    texts += [name for group in named for name in group]
    source = Source("pyproject.toml")
    return frozenset(requirement.name for text in texts if (requirement := parse_requirement(text, source)))
