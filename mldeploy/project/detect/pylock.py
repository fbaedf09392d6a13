"""`read_pylock.toml`: PEP 751, lock-version 1.0."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependency import DependencyList, Origin
from mldeploy.project.detect.documents import list_at, parse_toml_tables, table_at, text_at, value_at
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.lock_graph import (
    LockedFile,
    LockedPackage,
    MarkerVariables,
    file_name,
    package_lines,
    resolve_lock,
    tables_at,
)
from mldeploy.project.detect.package_sources import (
    PackageSource,
    entry_remark,
    from_git,
    from_index,
    from_path,
    from_url,
    refuse_source,
    unknown_source,
)
from mldeploy.project.detect.tree import Tree, TreeFile

_KNOWN = frozenset({
    "name", "version", "marker", "requires-python", "dependencies", "vcs", "directory", "archive", "index", "sdist",
    "wheels", "attestation-identities", "tool",
})  # fmt: skip
_DIRECT = frozenset({"vcs", "directory", "archive"})
_ALGORITHM = "sha256"


def read_pylock(tree: Tree, file: TreeFile, environment: MarkerVariables) -> DependencyList:
    """Every package whose marker holds."""
    document = parse_toml_tables(tree.text(file))
    version = text_at(document, "lock-version")
    if version.partition(".")[0] not in {"", "1"}:
        remark = entry_remark(Source(file.path), f"is of lock-version {version}, and mldeploy reads 1.0", Origin.PYLOCK)
        return DependencyList(Origin.PYLOCK, file.path, (), remarks=(remark,))
    lines = iter(tuple(package_lines(tree, file)))
    packages = [_package(tree, entry, next(lines, 0)) for entry in list_at(document, "packages")]
    return resolve_lock(Origin.PYLOCK, file, packages, [], {**environment, "extras": "", "dependency_groups": ""})


def _package(tree: Tree, entry: object, line: int) -> LockedPackage:
    files = tuple(_files(entry))
    return LockedPackage(
        canonicalize_name(text_at(entry, "name")),
        text_at(entry, "version"),
        line,
        _source(tree, entry, files),
        marker=text_at(entry, "marker"),
        files=files,
        key=str(line),
    )


def _source(tree: Tree, entry: object, files: tuple[LockedFile, ...]) -> PackageSource:
    if not isinstance(entry, dict) or entry.keys() - _KNOWN:
        return unknown_source(entry.keys() - _KNOWN if isinstance(entry, dict) else ())
    match sorted(entry.keys() & _DIRECT):
        case ["vcs"]:
            return _vcs(table_at(entry, "vcs"))
        case ["directory"]:
            directory = table_at(entry, "directory")
            return from_path(tree, text_at(directory, "path") or "/", text_at(directory, "subdirectory"))
        case ["archive"]:
            return _archive(tree, table_at(entry, "archive"))
        case []:
            return _indexed(entry, files)
        case several:
            return unknown_source(several)


def _vcs(vcs: dict[str, object]) -> PackageSource:
    url, commit = text_at(vcs, "url"), text_at(vcs, "commit-id")
    if text_at(vcs, "type") != "git" or not url or not commit:
        return unknown_source([f"vcs of type {text_at(vcs, 'type') or 'none'}"])
    return from_git(url, commit, text_at(vcs, "subdirectory"))


def _archive(tree: Tree, archive: dict[str, object]) -> PackageSource:
    subdirectory = text_at(archive, "subdirectory")
    if url := text_at(archive, "url"):
        return from_url(url, _digest(archive), subdirectory)
    return from_path(tree, text_at(archive, "path") or "/", subdirectory)


def _indexed(entry: dict[str, object], files: tuple[LockedFile, ...]) -> PackageSource:
    if "index" in entry:
        return from_index(text_at(entry, "index"))
    if any(text_at(each, "path") for each in (*tables_at(entry, "wheels"), table_at(entry, "sdist"))):
        return refuse_source("comes from files beside the lock, and from no index")
    # The file's hash is as good as an index: no other file has it.
    if files and all(each.digest for each in files):
        return PackageSource(is_by_hash=True)
    return refuse_source("names no index and no hash")


def _files(entry: object) -> Iterator[LockedFile]:
    for each in (*tables_at(entry, "wheels"), table_at(entry, "sdist")):
        if each:
            url = text_at(each, "url")
            name = text_at(each, "name") or file_name(url or text_at(each, "path"))
            yield LockedFile(name, url, _digest(each))


def _digest(entry: object) -> str:
    value = value_at(entry, "hashes", _ALGORITHM)
    return f"{_ALGORITHM}:{value}" if isinstance(value, str) else ""
