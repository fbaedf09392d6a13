"""`poetry.lock`, with `pyproject.toml` beside it for what the app itself needs. Read: lock-version 1.x and 2.x."""

from __future__ import annotations

from dataclasses import replace

from packaging.utils import canonicalize_name

from mldeploy.config.settings import LockExport, LockTool
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin, to_pep440
from mldeploy.project.detect.dependencies.lock_graph import (
    Edge,
    LockedFile,
    LockedPackage,
    MarkerVariables,
    package_lines,
    resolve_lock,
    strings_of,
    tables_at,
)
from mldeploy.project.detect.dependencies.package_sources import (
    PackageSource,
    entry_remark,
    from_git,
    from_index,
    from_path,
    from_url,
    refuse_source,
    unknown_source,
)
from mldeploy.project.detect.dependencies.pyproject import default_groups, list_declared
from mldeploy.project.detect.dependencies.requirements_txt import parse_requirement
from mldeploy.project.detect.documents import list_at, parse_toml_tables, table_at, text_at, value_at
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree, TreeFile

_SOURCE_KEYS = frozenset({"type", "url", "reference", "resolved_reference", "subdirectory"})


def read_poetry_lock(tree: Tree, file: TreeFile, environment: MarkerVariables) -> DependencyList:
    """What the app's main group and its other groups that are installed by default reach."""
    document = parse_toml_tables(tree.text(file))
    major = text_at(document, "metadata", "lock-version").partition(".")[0]
    if major not in {"", "1", "2"}:
        what = f"is of lock-version {major}, and mldeploy reads 1 and 2"
        remark = entry_remark(Source(file.path), what, Origin.POETRY_LOCK)
        return DependencyList(Origin.POETRY_LOCK, file.path, (), remarks=(remark,))
    lines = iter(tuple(package_lines(tree, file)))
    old_files = table_at(document, "metadata", "files")
    packages = [_package(tree, entry, next(lines, 0), old_files) for entry in list_at(document, "package")]
    pyproject = tree.beside("pyproject.toml")
    start = [
        Edge(each.name, each.marker, each.extras, specifier=each.specifier)
        for each in (list_declared(tree, pyproject) if pyproject else ())
    ]
    listed = resolve_lock(Origin.POETRY_LOCK, file, packages, start, environment)
    return replace(listed, export=_export(tree, file, pyproject)) if pyproject else listed


def _export(tree: Tree, file: TreeFile, pyproject: TreeFile) -> LockExport:
    """What `poetry export` reads; the groups are those of our own reading."""
    files = (file, pyproject, tree.beside("poetry.toml"))
    groups = tuple(f"--with={name}" for name in default_groups(parse_toml_tables(tree.text(pyproject))))
    return LockExport(file.path, tuple(each.path for each in files if each), groups, LockTool.POETRY)


def _package(tree: Tree, entry: object, line: int, old_files: dict[str, object]) -> LockedPackage:
    name = text_at(entry, "name")
    needs = tuple(
        Edge(
            canonicalize_name(needed),
            text_at(each, "markers"),
            strings_of(list_at(each, "extras")),
            specifier=_specifier(each),
        )
        for needed, value in table_at(entry, "dependencies").items()
        for each in (value if isinstance(value, list) else [value])
        if value_at(each, "optional") is not True
    )
    extras: dict[str, tuple[Edge, ...]] = {
        canonicalize_name(extra): tuple(
            Edge(each.name, extras=each.extras)
            for text in strings_of(needed)
            if (each := parse_requirement(text, Source("")))
        )
        for extra, needed in table_at(entry, "extras").items()
    }
    files = tuple(
        LockedFile(text_at(each, "file"), digest=text_at(each, "hash"))
        for each in tables_at(entry, "files") or tables_at(old_files, name)
    )
    source = _source(tree, value_at(entry, "source"), files)
    marker = text_at(entry, "markers") or text_at(entry, "markers", "main")
    known = LockedPackage(canonicalize_name(name), text_at(entry, "version"), line, source, needs, extras, marker)
    return replace(known, files=files, key=str(line))


def _specifier(needed: object) -> str:
    return to_pep440(needed if isinstance(needed, str) else text_at(needed, "version"))


def _source(tree: Tree, source: object, files: tuple[LockedFile, ...]) -> PackageSource:
    if source is None:
        return PackageSource()
    if not isinstance(source, dict) or source.keys() - _SOURCE_KEYS:
        return unknown_source(source.keys() if isinstance(source, dict) else ())
    kind, url, subdirectory = (text_at(source, key) for key in ("type", "url", "subdirectory"))
    match kind:
        case "git":
            commit = text_at(source, "resolved_reference")
            lost = refuse_source("comes from a Git repository, and the lock names no commit of it")
            package_source = from_git(url, commit, subdirectory) if commit else lost
        case "legacy":
            package_source = from_index(url)
        case "url":
            package_source = from_url(url, files[0].digest if len(files) == 1 else "", subdirectory)
        case "directory" | "file":
            package_source = from_path(tree, url or "/", subdirectory)
        case _:
            package_source = unknown_source([f"type = {kind}"])
    return package_source
