"""What the app needs installed: the one list that counts, out of all that a folder may hold."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import IntEnum

from mldeploy.project.detect.dependencies import conda
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.lock_graph import MarkerVariables
from mldeploy.project.detect.dependencies.package_sources import entry_remark
from mldeploy.project.detect.dependencies.pipenv import read_pipfile, read_pipfile_lock
from mldeploy.project.detect.dependencies.poetry_lock import read_poetry_lock
from mldeploy.project.detect.dependencies.pylock import read_pylock
from mldeploy.project.detect.dependencies.pyproject import read_pyproject
from mldeploy.project.detect.dependencies.requirements_txt import (
    REQUIREMENTS_FILES,
    UNCOMPILED_FILES,
    find_other_files,
    read_requirements,
)
from mldeploy.project.detect.dependencies.script_metadata import read_script_metadata
from mldeploy.project.detect.dependencies.setuptools_metadata import read_setup_cfg, read_setup_py
from mldeploy.project.detect.dependencies.uv_lock import list_members, read_uv_lock
from mldeploy.project.detect.documents import load_json, load_yaml, toml_problem
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree, TreeFile

_LOCKS: dict[Origin, Callable[[Tree, TreeFile, MarkerVariables], DependencyList]] = {
    Origin.UV_LOCK: read_uv_lock,
    Origin.POETRY_LOCK: read_poetry_lock,
    Origin.PYLOCK: read_pylock,
    Origin.PIPFILE_LOCK: read_pipfile_lock,
}
_TABLES: dict[Origin, Callable[[Tree, TreeFile], DependencyList]] = {
    Origin.PYPROJECT: read_pyproject,
    Origin.PIPFILE: read_pipfile,
}
_SETUP: dict[Origin, Callable[[Tree, TreeFile], DependencyList]] = {
    Origin.SETUP_CFG: read_setup_cfg,
    Origin.SETUP_PY: read_setup_py,
}


class _Rank(IntEnum):
    """Which kind of list counts first, among those of one folder."""

    REQUIREMENTS = 0
    """What somebody wrote for pip counts before a lock: the image installs as pip does."""
    LOCK = 1
    DECLARED = 2
    UNCOMPILED = 3
    SCRIPT = 4
    SETUP = 5


def list_dependencies(tree: Tree, environment: MarkerVariables, script: str = "") -> tuple[DependencyList, ...]:
    """Every list of dependencies for the app, the one that counts first.

    The nearest folder counts first, from that of the app's file to the root. In one folder a requirements file counts
    before a lock, and a lock before the file that it was made from. script: the path of the app's file.
    """
    unique: dict[tuple[Origin, str], DependencyList] = {}
    for folder in enclosing_folders(script):
        ranked = sorted(_folder_lists(tree.at(folder), environment, script), key=lambda pair: pair[0])
        for _, listed in ranked:
            unique.setdefault((listed.origin, listed.path), listed)
    lists = list(unique.values())
    if not any(listed.says_something for listed in lists):
        lists += _unreadable_lists(tree)
    if not any(listed.says_something for listed in lists):
        lists += [read_requirements(tree, path) for folder in enclosing_folders(script)
                  for path in find_other_files(tree, folder)]  # fmt: skip
    return tuple(sorted(lists, key=lambda listed: not listed.says_something))


def enclosing_folders(path: str) -> tuple[str, ...]:
    """The folders that a file lies in, from its own to the root, which is ""."""
    folders = [path]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    return tuple(folders[1:] if path else folders)


def read_list(tree: Tree, path: str, environment: MarkerVariables, script: str = "") -> DependencyList | None:
    """The list in one file, whose format its name says; None for a requirements file, and for what is no list.

    script: a file of the app, which decides of which member of a workspace the dependencies are.
    """
    file = tree.get(path)
    if file is None:
        return None
    view = tree.at(file.folder)
    origin = Origin.PYLOCK if _is_pylock(file) else next((each for each in Origin if each.value == file.name), None)
    if origin is Origin.UV_LOCK:
        return read_uv_lock(view, file, environment, _find_member(view, file, script))
    if origin in _LOCKS:
        return _LOCKS[origin](view, file, environment)
    if file.name in conda.FILES:
        return conda.read_conda(view, file)
    table = (_TABLES | _SETUP).get(origin) if origin else None
    if table is None and file.suffix == ".py":
        table = read_script_metadata
    return table(view, file) if table else None


def _is_pylock(file: TreeFile) -> bool:
    """`pylock.toml`, or `pylock.NAME.toml` (PEP 751)."""
    return file.name == Origin.PYLOCK or (file.name.startswith("pylock.") and file.name.endswith(".toml"))


def _folder_lists(tree: Tree, environment: MarkerVariables, script: str) -> Iterator[tuple[_Rank, DependencyList]]:
    """The lists of the folder `tree.base`."""
    for rank, names in ((_Rank.REQUIREMENTS, REQUIREMENTS_FILES), (_Rank.UNCOMPILED, UNCOMPILED_FILES)):
        yield from ((rank, each) for each in _requirements(tree, names))
    for origin, read in _LOCKS.items():
        if file := tree.beside(origin.value):
            yield _Rank.LOCK, read(tree, file, environment)
    if listed := _workspace_lock(tree, environment):
        yield _Rank.LOCK, listed
    for rank, readers in ((_Rank.DECLARED, _TABLES), (_Rank.SETUP, _SETUP)):
        for origin, read_table in readers.items():
            if file := tree.beside(origin.value):
                yield rank, read_table(tree, file)
    if file := next(filter(None, map(tree.beside, conda.FILES)), None):
        yield _Rank.DECLARED, conda.read_conda(tree, file)
    if (file := tree.get(script)) and file.folder == tree.base:
        yield _Rank.SCRIPT, read_script_metadata(tree, file)


def _requirements(tree: Tree, names: tuple[str, ...]) -> Iterator[DependencyList]:
    for file in dict.fromkeys(filter(None, map(tree.beside, names))):
        listed = read_requirements(tree, file.path)
        is_other_text = "requirement" not in file.path.lower() and any(
            each.code == "requirement-invalid" for each in listed.remarks
        )
        if not is_other_text:
            yield listed


def _workspace_lock(tree: Tree, environment: MarkerVariables) -> DependencyList | None:
    """The lock of the workspace that the folder `tree.base` is a member of: it lies in a folder above."""
    for folder in enclosing_folders(tree.base) if tree.base else ():
        file = tree.get(posixpath.join(folder, Origin.UV_LOCK.value))
        if file and posixpath.relpath(tree.base, folder or ".") in list_members(tree, file):
            return read_uv_lock(tree.at(folder), file, environment, posixpath.relpath(tree.base, folder or "."))
    return None


def _find_member(tree: Tree, lock: TreeFile, script: str) -> str:
    """The member of the workspace of a lock that the app's file belongs to, "" for the project at the root of it."""
    members = list_members(tree, lock)
    paths = (posixpath.relpath(folder or ".", lock.folder or ".") for folder in enclosing_folders(script))
    return next((path for path in paths if path in members), "")


def _unreadable_lists(tree: Tree) -> Iterator[DependencyList]:
    """Lists that cannot be read, where no other counts: the imports alone do not say where packages come from."""
    for origin in (*_LOCKS, *_TABLES, Origin.CONDA):
        file = tree.first(*conda.FILES) if origin is Origin.CONDA else tree.get(origin.value)
        if file and _is_unreadable(origin, tree.text(file)):
            what = "cannot be read, so it does not say where packages come from"
            remark = replace(entry_remark(Source(file.path), what, origin), todo="Correct it, or remove it.")
            yield DependencyList(origin, file.path, (), remarks=(remark,))


def _is_unreadable(origin: Origin, text: str) -> bool:
    if not text.strip():
        return False
    if origin is Origin.PIPFILE_LOCK:
        return not load_json(text)
    if origin is Origin.CONDA:
        return not load_yaml(text)
    return bool(toml_problem(text))
