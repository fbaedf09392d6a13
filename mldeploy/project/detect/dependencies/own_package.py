"""The project as a package of its own (PEP 517): whether the image installs it, and what its build backend reads.

The image installs it as editable, from the few files that decide of its metadata: the code itself stays in the app's
folder, so that an edit of it changes no other layer.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependencies.lock_graph import strings_of
from mldeploy.project.detect.documents import list_at, parse_toml_tables, text_at, value_at
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree, TreeFile

_TEXTS = re.compile(
    r"(?i)(readme|licen[cs]e|copying|notice|authors|contributors|change(s|log)|history|news|version|manifest|require"
    r"ments?)([-_.\w]*)"
)
"""Files at the root that backends read for the metadata, and that a setup.py commonly opens."""
_ROOT = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "hatch_build.py", "pdm_build.py", "versioneer.py"})
_VERSIONS = frozenset({"__init__.py", "__about__.py", "__version__.py", "_version.py", "version.py", "about.py"})
_SIZE = 1 << 20
_COMPILES = re.compile(
    r"(?i)^(maturin|setuptools-rust|scikit-build(-core)?|meson(-python)?|cmake|cython|pybind11|nanobind|cffi|numpy|mypy)\b"
)
"""Build requirements of packages with compiled modules: these need all sources, and a compiler."""
_FROM_GIT = re.compile(
    r"(?i)^(setuptools[-_]scm|hatch-vcs|vcs-versioning|versioningit|dunamai|versioneer|poetry-dynamic-versioning|pbr"
    r"|setuptools-git-versioning|uv-dynamic-versioning)\b"
)
_SRC = "src"


@dataclass(frozen=True)
class OwnPackage:
    """A package that the project's folder is. root: the folder below it that Python imports from, "" for itself."""

    name: str
    source: Source
    root: str = ""


def find_package(tree: Tree) -> tuple[OwnPackage | None, tuple[Remark, ...]]:
    """The package at the top of a folder, with why it is not installed, if it could be one."""
    file = tree.get("pyproject.toml")
    document = parse_toml_tables(tree.text(file)) if file else {}
    name = text_at(document, "project", "name") or text_at(document, "tool", "poetry", "name")
    requires = strings_of(list_at(document, "build-system", "requires"))
    if file is None or not name or _is_virtual(document):
        return None, ()
    root = _import_root(tree)
    # Without a backend, setuptools is the one (PEP 517), but for uv, which does not install such a project.
    if root is None or (not requires and (root != _SRC or tree.get("uv.lock"))):
        return None, ()
    if (reason := _find_obstacle(tree, document, requires)) is None:
        return OwnPackage(name, Source(file.path), root), ()
    what, todo = reason
    return None, (Remark("package-not-installed", Severity.NOTE, Source(file.path), what, todo),)


def _is_virtual(document: dict[str, object]) -> bool:
    """Whether the project's own tool would not install it."""
    is_mode = value_at(document, "tool", "poetry", "package-mode") is False
    return is_mode or value_at(document, "tool", "uv", "package") is False


def _find_obstacle(tree: Tree, document: dict[str, object], requires: tuple[str, ...]) -> tuple[str, str] | None:
    """Why the builder cannot install it, and what to do; None if it can."""
    setup = tree.get("setup.py")
    compiled = next((each for each in requires if _COMPILES.match(each)), "")
    if compiled or (setup and re.search(r"\b(ext_modules|rust_extensions|cmake_source_dir)\b", tree.text(setup))):
        what = (
            f"is a package with compiled modules{f' ({compiled})' if compiled else ''}, which the image does not build"
        )
        return what, "Build a wheel of it, put it into the folder, and name it in the list of dependencies."
    by_git = next((each for each in requires if _FROM_GIT.match(each)), "")
    if by_git or value_at(document, "tool", "pdm", "version", "source") == "scm":
        what = "is a package whose version comes from Git, which the build does not see: it runs from its folder"
        todo = (
            'Set `package = true` and `args = { SETUPTOOLS_SCM_PRETEND_VERSION = "1.2.3" }` in [build] to install it.'
        )
        return what, todo
    return None


def _import_root(tree: Tree) -> str | None:
    """`src`, or "" for a package or module of the project's name at the top; None if there is neither."""
    module = _module_of(tree)
    if any(file.path.startswith(f"{_SRC}/") for file in tree.ending(".py")):
        # `src/app.py` alone is a folder that is called so, and no package of that layout.
        inner = any(file.path.count("/") > 1 for file in tree.ending(".py") if file.path.startswith(f"{_SRC}/"))
        own = tree.get(f"{_SRC}/__init__.py") is None and (inner or tree.get(f"{_SRC}/{module}.py"))
        return _SRC if own else None
    folders = {file.path.partition("/")[0].lower() for file in tree.named("__init__.py")}
    return "" if module in folders or tree.get(f"{module}.py") else None


def list_package_files(tree: Tree) -> tuple[str, ...]:
    """The files that a build backend reads to say what the package is: its metadata, and where it lies.

    Not its code, but for the modules that commonly hold a version, and those that pyproject.toml names.
    """
    files = dict.fromkeys(each.path for each in _metadata_files(tree))
    return tuple(sorted(path for path in files if (file := tree.get(path)) and file.size <= _SIZE))


def _metadata_files(tree: Tree) -> Iterator[TreeFile]:
    tops, seen = _list_tops(tree), set[str]()
    for file in tree.files:
        folder, _, name = file.path.rpartition("/")
        parts = file.path.split("/")
        depth = 1 + (parts[0] == _SRC)
        is_text = _TEXTS.fullmatch(parts[0]) and (not folder or file.suffix in {".txt", ".in"})
        if is_text or file.path in _ROOT:
            yield file
        elif file.suffix == ".py" and parts[0].removesuffix(".py") in tops:
            # One file of each package, so that its folder is there; a module beside them is a package by itself.
            is_first, is_version = "/".join(parts[:depth]) not in seen, name in _VERSIONS and len(parts) <= depth + 2
            seen.add("/".join(parts[:depth]))
            if is_first or is_version:
                yield file
    yield from _named_files(tree)


def _list_tops(tree: Tree) -> set[str]:
    """The folders and modules at the top that may be the package: `src`, the project's name, what its files name."""
    named = {word.partition("/")[0] for _, word in _words(tree)}
    module = _module_of(tree)
    tops = {file.path.partition("/")[0].removesuffix(".py") for file in tree.files}
    return {_SRC} | {each for each in tops if each in named or each.lower() == module}


def _module_of(tree: Tree) -> str:
    file = tree.get("pyproject.toml")
    document = parse_toml_tables(tree.text(file)) if file else {}
    name = text_at(document, "project", "name") or text_at(document, "tool", "poetry", "name")
    return canonicalize_name(name).replace("-", "_")


def _words(tree: Tree) -> Iterator[tuple[TreeFile, str]]:
    """The texts of the project's files that may name a file or a module."""
    for own in filter(None, map(tree.get, ("pyproject.toml", "setup.cfg", "setup.py"))):
        for text in dict.fromkeys(
            re.findall(r"[\"']([\w./-]+)[\"']|attr:\s*([\w.]+)|file:\s*([\w./-]+)", tree.text(own))
        ):
            yield from ((own, posixpath.normpath(each)) for each in text if each)


def _named_files(tree: Tree) -> Iterator[TreeFile]:
    """What these texts name: by a path, or as a module (`attr = "shop.core.VERSION"`)."""
    for _, word in _words(tree):
        dotted = word.replace(".", "/")
        names = (word, *(f"{each}.py" for each in (dotted, posixpath.dirname(dotted)) if each))
        yield from filter(None, (tree.get(f"{start}{name}") for start in ("", f"{_SRC}/") for name in names))
