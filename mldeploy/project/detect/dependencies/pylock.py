"""`read_pylock.toml`: PEP 751, lock-version 1.0, as `packaging` reads it, the library of who wrote the standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockValidationError,
)

from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.dependencies.lock_graph import (
    MACHINES,
    LockedFile,
    LockedPackage,
    MarkerVariables,
    package_lines,
    resolve_lock,
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
    source_remark,
    unknown_source,
)
from mldeploy.project.detect.documents import parse_toml_tables, text_at
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.tree import Tree, TreeFile

_ALGORITHM = "sha256"
_ENTRY = re.compile(r"packages\[(\d+)\]")


def read_pylock(tree: Tree, file: TreeFile, environment: MarkerVariables) -> DependencyList:
    """Every package whose marker holds, without extras and with the groups that are installed by default."""
    document = parse_toml_tables(tree.text(file))
    if not document:
        return DependencyList(Origin.PYLOCK, file.path, ())
    lines = tuple(package_lines(tree, file))
    try:
        lock = Pylock.from_dict(document)
    except PylockValidationError as error:
        return _refuse(file, document, lines, error)
    pairs = zip(lock.packages, (*lines, *[0] * len(lock.packages)), strict=False)
    packages = [each for package, line in pairs for each in _package(tree, lock, package, line, environment)]
    listed = resolve_lock(Origin.PYLOCK, file, packages, [], environment)
    python = environment["python_full_version"]
    if lock.requires_python is None or lock.requires_python.contains(python, prereleases=True):
        return listed
    what = f"is for Python {lock.requires_python}, and the image has {environment['python_version']}"
    return replace(listed, remarks=(*listed.remarks, entry_remark(Source(file.path), what, Origin.PYLOCK)))


def _refuse(
    file: TreeFile, document: dict[str, object], lines: tuple[int, ...], error: PylockValidationError
) -> DependencyList:
    """The list of a file that does not keep to the standard, with the package at which it does not."""
    match = _ENTRY.match(error.context or "")
    entries, number = tables_at(document, "packages"), int(match[1]) if match else -1
    if 0 <= number < min(len(entries), len(lines)):
        name, where = text_at(entries[number], "name"), Source(file.path, lines[number])
        remark = source_remark(name, where, refuse_source(f"is not as PEP 751 has it ({error.message})"), Origin.PYLOCK)
    else:
        remark = entry_remark(Source(file.path), f"is not a lock as PEP 751 has it: {error}", Origin.PYLOCK)
    return DependencyList(Origin.PYLOCK, file.path, (), remarks=(remark,))


def _package(
    tree: Tree, lock: Pylock, package: Package, line: int, environment: MarkerVariables
) -> Iterator[LockedPackage]:
    """Yield the package, with a marker if only one processor needs it; nothing if none does."""
    machines = [machine for machine in MACHINES if _applies(lock, package, environment, machine)]
    files = tuple(_files(package))
    if machines:
        yield LockedPackage(
            package.name,
            str(package.version or ""),
            line,
            _source(tree, package, files),
            marker="" if len(machines) == len(MACHINES) else f"platform_machine == '{machines[0]}'",
            files=files,
            key=str(line),
        )


def _applies(lock: Pylock, package: Package, environment: MarkerVariables, machine: str) -> bool:
    if package.marker is None:
        return True
    sets = {"extras": frozenset[str](), "dependency_groups": frozenset(lock.default_groups or ())}
    return package.marker.evaluate({**environment, "platform_machine": machine, **sets}, context="lock_file")


def _source(tree: Tree, package: Package, files: tuple[LockedFile, ...]) -> PackageSource:
    if package.vcs:
        return _from_vcs(package.vcs)
    if package.directory:
        return from_path(tree, package.directory.path, package.directory.subdirectory or "")
    if package.archive:
        return _from_archive(tree, package.archive)
    return _from_files(package, files)


def _from_vcs(vcs: PackageVcs) -> PackageSource:
    if vcs.type != "git" or not vcs.url:
        return unknown_source([f"vcs of type {vcs.type}"])
    return from_git(vcs.url, vcs.commit_id, vcs.subdirectory or "")


def _from_archive(tree: Tree, archive: PackageArchive) -> PackageSource:
    if archive.url:
        return from_url(archive.url, _digest(archive), archive.subdirectory or "")
    return from_path(tree, archive.path or "/", archive.subdirectory or "")


def _from_files(package: Package, files: tuple[LockedFile, ...]) -> PackageSource:
    if package.index:
        return from_index(package.index)
    if any(each.path and not each.url for each in _listed(package)):
        return refuse_source("comes from files beside the lock, and from no index")
    # The file's hash is as good as an index: no other file has it.
    if files and all(each.digest for each in files):
        return PackageSource(is_by_hash=True)
    return refuse_source("names no index and no hash")


def _files(package: Package) -> Iterator[LockedFile]:
    for each in _listed(package):
        yield LockedFile(each.filename, each.url or "", _digest(each))


def _listed(package: Package) -> tuple[PackageWheel | PackageSdist, ...]:
    return (*(package.wheels or ()), *((package.sdist,) if package.sdist else ()))


def _digest(file: PackageWheel | PackageSdist | PackageArchive) -> str:
    value = file.hashes.get(_ALGORITHM)
    return f"{_ALGORITHM}:{value}" if value else ""
