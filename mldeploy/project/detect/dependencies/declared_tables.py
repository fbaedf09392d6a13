"""Dependencies as tables of TOML and JSON declare them, as Poetry and Pipenv write them: `name = {version = …}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependencies.dependency import Dependency, Origin, to_pep440
from mldeploy.project.detect.dependencies.lock_graph import strings_of
from mldeploy.project.detect.dependencies.package_sources import (
    PackageSource,
    from_git,
    from_path,
    from_url,
    join_entry_markers,
    source_remark,
    unknown_source,
    with_source,
)
from mldeploy.project.detect.documents import line_of, list_at, text_at, value_at
from mldeploy.project.detect.findings import Remark, Source
from mldeploy.project.detect.tree import Tree, TreeFile

PLAIN = frozenset({
    "version", "extras", "optional", "markers", "python", "platform", "allow-prereleases", "allows-prereleases",
    "develop", "editable", "hashes",
})  # fmt: skip
"""Keys that say nothing of where a package comes from. `editable` and `develop` are how, and not what."""
MARKER_KEYS = frozenset({
    "os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release",
    "platform_system", "platform_version", "python_version", "python_full_version", "implementation_name",
    "implementation_version",
})  # fmt: skip
"""Pipenv's short form of a marker: `sys_platform = "== 'linux'"`."""
_GIT = frozenset({"git", "ref", "rev", "tag", "branch", "subdirectory"})

IndexOf = Callable[[str], PackageSource]
"""The index of a package, by the name that its entry gives it ("" if it gives none)."""


@dataclass(frozen=True)
class DeclaredDependency:
    """An entry of a list: what it asks for, and where that comes from."""

    name: str
    where: Source
    source: PackageSource
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    hashes: tuple[str, ...] = ()


def parse_table(
    tree: Tree, entries: Mapping[str, object], file: TreeFile, index_of: IndexOf
) -> Iterator[DeclaredDependency]:
    """The entries of a table, without Python itself and what is optional; several for one name with several forms."""
    lines = tree.lines(file)
    for name, value in entries.items():
        where = Source(file.path, line_of(lines, rf'.*?"?{re.escape(name)}"?\s*[=:]'))
        for each in value if isinstance(value, list) else [value]:
            if name.lower() != "python" and value_at(each, "optional") is not True:
                yield _parse_entry(tree, name, each, where, index_of)


def _parse_entry(tree: Tree, name: str, entry: object, where: Source, index_of: IndexOf) -> DeclaredDependency:
    if isinstance(entry, str):
        return DeclaredDependency(canonicalize_name(name), where, index_of(""), to_pep440(entry))
    if not isinstance(entry, dict):
        return DeclaredDependency(canonicalize_name(name), where, unknown_source(()))
    return DeclaredDependency(
        canonicalize_name(name),
        where,
        _parse_source(tree, entry, index_of),
        to_pep440(text_at(entry, "version")),
        strings_of(list_at(entry, "extras")),
        join_entry_markers(entry, *_short_markers(entry)),
        strings_of(list_at(entry, "hashes")),
    )


def _short_markers(entry: Mapping[str, object]) -> Iterator[str]:
    for key in sorted(MARKER_KEYS & entry.keys()):
        yield f"{key} {entry[key]}"
    for part in to_pep440(text_at(entry, "python")).split(","):
        if match := re.fullmatch(r"([<>=!~]+)(.+)", part):
            yield f'python_version {match[1]} "{match[2]}"'
    if platform := text_at(entry, "platform"):
        yield f'sys_platform == "{platform}"'


def _parse_source(tree: Tree, entry: dict[str, object], index_of: IndexOf) -> PackageSource:
    keys = entry.keys() - PLAIN - MARKER_KEYS
    subdirectory = text_at(entry, "subdirectory")
    if not keys:
        return index_of("")
    if "git" in keys and not keys - _GIT - {"index"}:
        revisions = [text_at(entry, key) for key in ("rev", "ref", "tag", "branch") if key in entry]
        return from_git(text_at(entry, "git"), revisions[0] if revisions else "", subdirectory)
    kinds = keys - {"subdirectory"}
    if kinds in ({"url"}, {"file"}, {"path"}):
        (kind,) = kinds
        value = text_at(entry, kind)
        digests = strings_of(list_at(entry, "hashes"))
        if re.match(r"https?://", value):
            return from_url(value, digests[0] if len(digests) == 1 else "", subdirectory)
        return unknown_source(kinds) if kind == "url" or not value else from_path(tree, value, subdirectory)
    if keys in ({"source"}, {"index"}):
        (kind,) = keys
        return index_of(name) if (name := text_at(entry, kind)) else unknown_source(keys)
    return unknown_source(keys)


def resolve_entries(
    entries: Iterator[DeclaredDependency], origin: Origin
) -> tuple[tuple[Dependency, ...], tuple[Remark, ...]]:
    """The entries as dependencies, and remarks for those whose source cannot be kept."""
    kept: list[Dependency] = []
    remarks: list[Remark] = []
    for each in entries:
        if each.source.refusal:
            remarks.append(source_remark(each.name, each.where, each.source, origin))
            continue
        base = Dependency(each.name, each.specifier, each.where, each.extras, each.marker, hashes=each.hashes)
        if made := with_source(base, each.source):
            kept.append(made)
    return tuple(sorted(dict.fromkeys(kept), key=lambda each: (each.name, each.marker))), tuple(remarks)
