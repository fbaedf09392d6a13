"""Pipenv's files: `Pipfile`, and `Pipfile.lock` (pipfile-spec 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mldeploy.config.settings import LockExport, LockTool
from mldeploy.project.detect.dependencies.declared_tables import (
    DeclaredDependency,
    IndexOf,
    parse_table,
    resolve_entries,
)
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin, marker_applies
from mldeploy.project.detect.dependencies.lock_graph import LockedFile, MarkerVariables, list_hashes, tables_at
from mldeploy.project.detect.dependencies.package_sources import (
    PackageSource,
    bind_indexes,
    entry_remark,
    from_index,
    refuse_source,
)
from mldeploy.project.detect.documents import line_of, load_json, parse_toml_tables, table_at, text_at, value_at
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree, TreeFile

_SPEC = 6


def read_pipfile_lock(tree: Tree, file: TreeFile, environment: MarkerVariables) -> DependencyList:
    """The packages of its `default` section."""
    document = load_json(tree.text(file))
    spec = value_at(document, "_meta", "pipfile-spec")
    remarks: list[Remark] = []
    if spec not in {None, _SPEC}:
        what = f"is of pipfile-spec {spec}, and mldeploy reads {_SPEC}"
        remarks.append(entry_remark(Source(file.path), what, Origin.PIPFILE_LOCK))
    sources = tables_at(document, "_meta", "sources")
    entries = parse_table(tree, table_at(document, "default"), file, _index_of(sources))
    here = [_hashed(each) for each in entries if marker_applies(each.marker, environment)]
    listed = _listing(Origin.PIPFILE_LOCK, tree, file, iter(here), sources, remarks)
    has_paths = any(each.source.is_project or each.source.path for each in here)
    return listed if has_paths else replace(listed, export=_export(tree, file))


def _export(tree: Tree, file: TreeFile) -> LockExport | None:
    """What `pipenv requirements` reads. It writes paths as they stand, which are not always those of the build."""
    own = tree.beside(Origin.PIPFILE.value)
    return LockExport(file.path, (file.path, own.path), tool=LockTool.PIPENV) if own else None


def read_pipfile(tree: Tree, file: TreeFile) -> DependencyList:
    """What a Pipfile's `[packages]` asks for."""
    document = parse_toml_tables(tree.text(file))
    sources = tables_at(document, "source")
    entries = parse_table(tree, table_at(document, "packages"), file, _index_of(sources))
    return _listing(Origin.PIPFILE, tree, file, entries, sources, [])


def _listing(
    origin: Origin,
    tree: Tree,
    file: TreeFile,
    entries: Iterator[DeclaredDependency],
    sources: list[dict[str, object]],
    remarks: list[Remark],
) -> DependencyList:
    declared = list(entries)
    dependencies, refusals = resolve_entries(iter(declared), origin)
    remarks += refusals
    remarks += _unverified(origin, tree, file, sources)
    remarks += [_itself(each) for each in declared if each.source.is_project]
    complete = origin is Origin.PIPFILE_LOCK
    if complete:  # the markers have been met
        dependencies = tuple(replace(each, marker="") for each in dependencies)
    return bind_indexes(DependencyList(origin, file.path, dependencies, remarks=tuple(remarks), complete=complete))


def _hashed(each: DeclaredDependency) -> DeclaredDependency:
    """With the hashes that the image can meet."""
    files = [LockedFile("", digest=digest) for digest in each.hashes]
    return replace(each, hashes=list_hashes(each.name, files, is_default_index=not each.source.index))


def _index_of(sources: list[dict[str, object]]) -> IndexOf:
    """Pipenv takes a package that names no index from the first one."""
    known = {text_at(each, "name"): from_index(text_at(each, "url")) for each in sources}
    usual = from_index(text_at(sources[0], "url")) if sources else PackageSource()

    def index_of(name: str) -> PackageSource:
        if not name:
            return usual
        return known.get(name) or refuse_source(f"comes from an index {name}, whose address is not in the file")

    return index_of


def _unverified(origin: Origin, tree: Tree, file: TreeFile, sources: list[dict[str, object]]) -> Iterator[Remark]:
    for each in sources:
        if value_at(each, "verify_ssl") is False:
            where = Source(file.path, line_of(tree.lines(file), r".*verify_ssl.*false"))
            what = f"turns off the verification of certificates for the index {text_at(each, 'name')}"
            todo = "Set `verify_ssl` to true, and name the index's certificates in build.ca_bundle."
            yield replace(entry_remark(where, what, origin), todo=todo)


def _itself(each: DeclaredDependency) -> Remark:
    what = f"{each.name} is the project itself: it is not installed, and its modules are imported as they are"
    return Remark("requirement-itself", Severity.NOTE, each.where, what)
