"""`uv.lock`: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs

from packaging.utils import canonicalize_name

from mldeploy.config.settings import LockExport
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.lock_graph import (
    Edge,
    LockedFile,
    LockedPackage,
    MarkerVariables,
    file_name,
    join_markers,
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
from mldeploy.project.detect.dependencies.pyproject import DEVELOPMENT_GROUPS, UV_FILE
from mldeploy.project.detect.documents import list_at, parse_toml_tables, table_at, text_at, value_at
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree, TreeFile

_VERSION = 1
_LOCAL = ("editable", "directory", "path", "virtual")
_KINDS = frozenset({"registry", "git", "url", *_LOCAL})


def read_uv_lock(tree: Tree, file: TreeFile, environment: MarkerVariables, member: str = "") -> DependencyList:
    """What the project at the lock's folder needs; of a workspace without a project, what its members need.

    member: the path from there of the member of the workspace that the app belongs to.
    """
    document = parse_toml_tables(tree.text(file))
    if document and value_at(document, "version") not in {_VERSION, None}:
        what = f"is of version {value_at(document, 'version')}, and mldeploy reads version {_VERSION}"
        return DependencyList(
            Origin.UV_LOCK, file.path, (), remarks=(entry_remark(Source(file.path), what, Origin.UV_LOCK),)
        )
    lines = iter(tuple(package_lines(tree, file)))
    entries = list_at(document, "package")
    packages = [_package(tree, entry, next(lines, 0)) for entry in entries]
    projects = [each for each in packages if _is_start(each, member)]
    members = [each for each in packages if each.source.is_virtual or each.key.startswith("editable")]
    start = [edge for each in projects or members for edge in each.needs]
    groups = _default_groups(tree.at(posixpath.normpath(posixpath.join(tree.base, member)) if member else tree.base))
    start += [edge for each, entry in zip(packages, entries, strict=True) if each in projects
              for edge in _group_edges(entry, groups)]  # fmt: skip
    if members and not projects:
        start += [Edge(each.name, key=each.key) for each in members]
    own = {each.name for each in projects}
    if projects and not start:
        return DependencyList(Origin.UV_LOCK, file.path, (), complete=True)
    listed = resolve_lock(Origin.UV_LOCK, file, [each for each in packages if each.name not in own], start, environment)
    return replace(listed, export=_export(tree, file, projects if member else [], is_virtual=not projects))


def _export(tree: Tree, file: TreeFile, projects: list[LockedPackage], *, is_virtual: bool) -> LockExport | None:
    """What `uv export --frozen` reads; None if the project's own file is not beside the lock."""
    own = tree.beside("pyproject.toml")
    if own is None:
        return None
    members = (tree.beside(posixpath.join(member, "pyproject.toml")) for member in sorted(list_members(tree, file)))
    files = (file, own, tree.beside(UV_FILE), *members)
    arguments = ("--all-packages",) if is_virtual else tuple(f"--package={each.name}" for each in projects)
    return LockExport(file.path, tuple(dict.fromkeys(each.path for each in files if each)), arguments)


def list_members(tree: Tree, file: TreeFile) -> frozenset[str]:
    """The folders of the workspace's members, from the lock's folder; without the project at its root."""
    sources = [table_at(entry, "source") for entry in list_at(parse_toml_tables(tree.text(file)), "package")]
    named = {text_at(source, kind) for source in sources for kind in ("editable", "virtual")}
    return frozenset(named - {"", "."})


def _is_start(package: LockedPackage, member: str) -> bool:
    if not member:
        return package.source.is_project
    return package.key in {f"{kind}={member}" for kind in ("editable", "virtual")}


def _default_groups(tree: Tree) -> frozenset[str] | None:
    """The groups that uv installs by default, without those for development; None for every other one."""
    file = tree.beside("pyproject.toml")
    chosen = value_at(parse_toml_tables(tree.text(file)), "tool", "uv", "default-groups") if file else None
    return None if chosen == "all" else frozenset(strings_of(chosen)) - DEVELOPMENT_GROUPS


def _group_edges(entry: object, groups: frozenset[str] | None) -> Iterator[Edge]:
    for name, edges in table_at(entry, "dev-dependencies").items():
        if name in groups if groups is not None else name not in DEVELOPMENT_GROUPS:
            yield from _edges(edges)


def _package(tree: Tree, entry: object, line: int) -> LockedPackage:
    source = table_at(entry, "source")
    extras = {name: _edges(edges) for name, edges in table_at(entry, "optional-dependencies").items()}
    return LockedPackage(
        canonicalize_name(text_at(entry, "name")),
        text_at(entry, "version"),
        line,
        _source(tree, source),
        _edges(value_at(entry, "dependencies")),
        extras,
        join_markers(list_at(entry, "resolution-markers")),
        tuple(_files(entry)),
        _key(source),
    )


def _source(tree: Tree, source: dict[str, object]) -> PackageSource:
    kinds = source.keys() & _KINDS
    if len(kinds) != 1 or source.keys() - _KINDS - {"subdirectory"}:
        return unknown_source(source)
    (kind,) = kinds
    value, subdirectory = text_at(source, kind), text_at(source, "subdirectory")
    if kind == "registry":
        return from_index(value)
    if kind == "url":
        return from_url(value, subdirectory=subdirectory)
    if kind == "git":
        return _git(value)
    if kind == "virtual" and value != ".":
        return PackageSource(is_virtual=True)
    return from_path(tree, value, subdirectory)


def _git(value: str) -> PackageSource:
    """`https://…/tools.git?subdirectory=lib&tag=v2#COMMIT`"""
    address, _, commit = value.partition("#")
    url, _, query = address.partition("?")
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return refuse_source("comes from a Git repository, and the lock names no commit of it")
    if options.keys() - {"subdirectory", "rev", "tag", "branch", "lfs"}:
        return unknown_source(options)
    if options.get("lfs"):
        return refuse_source("comes from a Git repository with large files (lfs), which a requirement cannot ask for")
    return from_git(url, commit, options.get("subdirectory", ""))


def _files(entry: object) -> Iterator[LockedFile]:
    for each in (*tables_at(entry, "wheels"), table_at(entry, "sdist")):
        if each:
            url = text_at(each, "url")
            yield LockedFile(file_name(url or text_at(each, "path")), url, text_at(each, "hash"))


def _edges(entries: object) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            canonicalize_name(text_at(each, "name")),
            text_at(each, "marker"),
            strings_of(list_at(each, "extra")),
            text_at(each, "version"),
            _key(table_at(each, "source")),
        )
        for each in (entries if isinstance(entries, list) else [])
    )


def _key(source: dict[str, object]) -> str:
    return ";".join(f"{name}={value}" for name, value in sorted(source.items()))
