"""What `setup.cfg` and `setup.py` declare. https://setuptools.pypa.io/en/latest/userguide/declarative_config.html"""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependencies.declared_tables import DeclaredDependency, resolve_entries
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.package_sources import from_reference, refuse_source
from mldeploy.project.detect.dependencies.pyproject import ask_backend, include_files
from mldeploy.project.detect.dependencies.requirements_txt import parse_requirement
from mldeploy.project.detect.dependencies.setup_script import read_install_requires
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree, TreeFile

_SEPARATOR = re.compile(r";(?!\s*(?:python|sys|platform|os|impl))")
"""Between requirements on one line: not the semicolon before a marker."""
_FILE = re.compile(r"file:\s*(.+)")


def read_setup_cfg(tree: Tree, file: TreeFile) -> DependencyList:
    """The `install_requires` of `[options]`, also where it names requirements files."""
    text = _options(tree, file).get("install_requires", "")
    if named := _FILE.fullmatch(text.strip()):
        empty = DependencyList(Origin.SETUP_CFG, file.path, ())
        return include_files(tree, empty, [name.strip() for name in named[1].split(",") if name.strip()])
    separated = text.splitlines() if "\n" in text.strip() else _SEPARATOR.split(text)
    return _listing(tree, file, Origin.SETUP_CFG, [line.partition(" #")[0].strip() for line in separated])


def read_setup_py(tree: Tree, file: TreeFile) -> DependencyList:
    """The `install_requires` of the call of `setup`; the script is not run here.

    What it computes is for the build: uv runs it there, in a container.
    """
    requires = read_install_requires(tree.text(file))
    listing = _listing(tree, file, Origin.SETUP_PY, requires.texts)
    return ask_backend(tree, listing, Source(file.path, requires.computed)) if requires.computed else listing


def setup_python(tree: Tree) -> tuple[str, Source] | None:
    """The versions of Python that `setup.cfg` requires, as a PEP 440 specifier."""
    file = tree.beside("setup.cfg")
    required = _options(tree, file).get("python_requires", "").strip() if file else ""
    return (required, Source(file.path)) if file and required else None


def _options(tree: Tree, file: TreeFile) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(tree.text(file))
    except configparser.Error:
        return {}
    return dict(parser["options"]) if parser.has_section("options") else {}


def _listing(tree: Tree, file: TreeFile, origin: Origin, texts: Sequence[str]) -> DependencyList:
    lines = tree.lines(file)
    entries = [_entry(tree, file, lines, text) for text in texts if text and not text.startswith("#")]
    dependencies, refusals = resolve_entries(iter(entries), origin)
    return DependencyList(origin, file.path, dependencies, remarks=refusals)


def _entry(tree: Tree, file: TreeFile, lines: list[str], text: str) -> DeclaredDependency:
    where = Source(file.path, next((number for number, line in enumerate(lines, 1) if text in line), 0))
    requirement = parse_requirement(text, where)
    if requirement is None:
        name = canonicalize_name(re.split(r"[^\w.-]", text, maxsplit=1)[0])
        return DeclaredDependency(name, where, refuse_source("is not a requirement (PEP 508)"))
    return DeclaredDependency(
        requirement.name,
        where,
        from_reference(tree, requirement.url),
        requirement.specifier,
        requirement.extras,
        requirement.marker,
    )
