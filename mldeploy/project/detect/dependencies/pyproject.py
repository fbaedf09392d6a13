"""What `pyproject.toml` declares: PEP 621's `dependencies` with uv's sources, or Poetry's table with its indexes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name

from mldeploy.config.settings import LockExport, LockTool
from mldeploy.project.detect.dependencies.declared_tables import DeclaredDependency, parse_table, resolve_entries
from mldeploy.project.detect.dependencies.dependency import (
    Dependency,
    DependencyList,
    Origin,
    marker_applies,
    target_environment,
)
from mldeploy.project.detect.dependencies.lock_graph import MACHINES, strings_of, tables_at
from mldeploy.project.detect.dependencies.own_package import list_package_files
from mldeploy.project.detect.dependencies.package_sources import (
    REFUSED,
    PackageSource,
    bind_indexes,
    entry_remark,
    from_git,
    from_index,
    from_path,
    from_reference,
    from_url,
    has_secret,
    refuse_source,
    unknown_source,
)
from mldeploy.project.detect.dependencies.requirements_txt import parse_requirement, read_requirements
from mldeploy.project.detect.documents import line_of, list_at, parse_toml_tables, table_at, text_at, value_at
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.tree import Tree, TreeFile

UV_FILE = "uv.toml"
DEVELOPMENT_GROUPS = frozenset({
    "dev", "develop", "development", "test", "tests", "testing", "lint", "docs", "doc", "typing", "ci",
})  # fmt: skip
"""Names of groups that the app itself does without."""
_MINORS = range(9, 16)
_REVISIONS = ("rev", "tag", "branch")
_GIT = frozenset({"git", "subdirectory", *_REVISIONS})
_OTHER_INDEXES = (("tool", "rye", "sources"), ("tool", "pixi", "pypi-options"))
"""Where other tools declare indexes, of which no reader here knows what they mean for a package."""
_OVERRIDES = (("tool", "uv", "override-dependencies"), ("tool", "pdm", "resolution", "overrides"))
_UV_SETTINGS = ("find-links", "no-index")


def read_pyproject(tree: Tree, file: TreeFile) -> DependencyList:
    """The dependencies, each with its source."""
    document = parse_toml_tables(tree.text(file))
    listing = read_declared(tree, file, document, Origin.PYPROJECT)
    remarks = (*listing.remarks, *_setting_remarks(tree, file, document))
    names = list(_dynamic_files(document))
    listing = replace(listing, remarks=remarks)
    if not names and not listing.dependencies and _is_computed(tree, document):
        return ask_backend(tree, listing, Source(file.path))
    return include_files(tree, listing, names)


def ask_backend(tree: Tree, listing: DependencyList, where: Source) -> DependencyList:
    """The list of a file whose dependencies only the project's build backend knows, with what the build asks it by.

    Nothing of the project runs on this machine. where: what computes them.
    """
    if tree.base:
        what = "computes its dependencies, and lies in a folder below the project's, where the build does not ask it"
        todo = f"Run `uv pip compile {where.path} -o {tree.base}/requirements.txt`, which counts before it."
        remark = Remark(REFUSED, Severity.ERROR, where, what, todo)
        return replace(listing, remarks=(*listing.remarks, remark))
    what = "computes its dependencies: the build asks for them in a container, and installs versions of that day"
    todo = f"To pin them, run `uv pip compile {where.path} -o requirements.txt`: requirements.txt counts before it."
    remark = Remark("dependencies-computed", Severity.WARNING, where, what, todo)
    export = LockExport(where.path, list_package_files(tree), tool=LockTool.BACKEND)
    return replace(listing, remarks=(*listing.remarks, remark), export=export)


def read_declared(tree: Tree, file: TreeFile, document: Mapping[str, object], origin: Origin) -> DependencyList:
    """What tables of pyproject.toml's form declare, which stand in a file."""
    dependencies, refusals = resolve_entries(iter(_list_entries(tree, file, document)), origin)
    indexes = _uv_indexes(tree, file, document)
    remarks = (*refusals, *(each.remark for each in indexes if each.remark))
    listing = bind_indexes(DependencyList(origin, file.path, dependencies, remarks=remarks))
    searched = [f"--extra-index-url {each.source.index}" for each in indexes if each.is_searched and each.source.index]
    return replace(listing, options=tuple(dict.fromkeys((*listing.options, *searched))))


def include_files(tree: Tree, listing: DependencyList, names: Iterable[str]) -> DependencyList:
    """The list with the requirements files that it takes its dependencies from. names: from the list's folder."""
    for name in names:
        path = posixpath.normpath(posixpath.join(tree.base, name))
        if tree.get(path) is None:
            what = f"takes its dependencies from {name}, which is not in the folder"
            remark = Remark("requirements-missing", Severity.ERROR, Source(listing.path), what, "Add the file.")
            listing = replace(listing, remarks=(*listing.remarks, remark))
            continue
        included = read_requirements(tree, path)
        listing = replace(
            listing,
            dependencies=(*listing.dependencies, *(replace(each, is_included=True) for each in included.dependencies)),
            constraints=(*listing.constraints, *included.constraints),
            remarks=(*listing.remarks, *included.remarks),
            options=(*listing.options, f"--requirement {path}"),
        )
    return listing


def _is_computed(tree: Tree, document: Mapping[str, object]) -> bool:
    """Whether only the build backend knows the dependencies: no file of setuptools beside it declares them."""
    is_dynamic = "dependencies" in strings_of(list_at(document, "project", "dynamic"))
    return is_dynamic and not (tree.beside("setup.py") or tree.beside("setup.cfg"))


def _dynamic_files(document: Mapping[str, object]) -> Iterator[str]:
    """The files that a build backend takes the dependencies from, where the project names them as dynamic."""
    if "dependencies" not in strings_of(list_at(document, "project", "dynamic")):
        return
    setuptools = value_at(document, "tool", "setuptools", "dynamic", "dependencies", "file")
    hatch = table_at(document, "tool", "hatch", "metadata", "hooks", "requirements_txt")
    for value in (setuptools, hatch.get("files"), hatch.get("filename")):
        yield from [value] if isinstance(value, str) else strings_of(value)


def list_group_dependencies(tree: Tree, file: TreeFile) -> dict[str, str]:
    """Distributions that only a group (PEP 735) or an extra of the project lists, each with the group's name."""
    document = parse_toml_tables(tree.text(file))
    tables = (
        ("group", table_at(document, "dependency-groups")),
        ("extra", table_at(document, "project", "optional-dependencies")),
    )
    names: dict[str, str] = {}
    for kind, table in tables:
        for group, texts in table.items():
            for text in strings_of(texts):
                if requirement := parse_requirement(text, Source(file.path)):
                    names.setdefault(requirement.name, f"the {kind} `{group}`")
    poetry = table_at(document, "tool", "poetry", "group")
    for group, entries in poetry.items():
        for name in table_at(entries, "dependencies"):
            names.setdefault(canonicalize_name(name), f"the group `{group}`")
    return names


def list_declared(tree: Tree, file: TreeFile) -> tuple[DeclaredDependency, ...]:
    """Every entry for the app itself, those with a refused source included."""
    return _list_entries(tree, file, parse_toml_tables(tree.text(file)))


def _list_entries(tree: Tree, file: TreeFile, document: Mapping[str, object]) -> tuple[DeclaredDependency, ...]:
    listed = tuple(_project_entries(tree, file, document))
    poetry = tuple(_poetry_entries(tree, file, document))
    names, by_name = {each.name for each in poetry}, {each.name: each for each in listed}
    # Poetry 2 adds to PEP 621's list, in its own table, what that list cannot say.
    return (
        *(each for each in listed if each.name not in names),
        *(_merge_entries(each, by_name.get(each.name)) for each in poetry),
    )


def _merge_entries(each: DeclaredDependency, listed: DeclaredDependency | None) -> DeclaredDependency:
    if listed is None or each.specifier:
        return each
    return replace(
        each,
        specifier=listed.specifier,
        extras=each.extras or listed.extras,
        marker=" and ".join(f"({marker})" for marker in (each.marker, listed.marker) if marker),
    )


def _project_entries(tree: Tree, file: TreeFile, document: Mapping[str, object]) -> Iterator[DeclaredDependency]:
    lines = tree.lines(file)
    sources: dict[str, object] = {
        canonicalize_name(name): value for name, value in table_at(document, "tool", "uv", "sources").items()
    }
    indexes = _uv_indexes(tree, file, document)
    for text in strings_of(list_at(document, "project", "dependencies")):
        where = Source(file.path, next((number for number, line in enumerate(lines, 1) if text in line), 0))
        requirement = parse_requirement(text, where)
        if requirement is None:
            yield DeclaredDependency(text.partition(" ")[0], where, refuse_source("is not a requirement (PEP 508)"))
        else:
            yield from _with_sources(tree, requirement, sources.get(requirement.name), indexes)


def _with_sources(
    tree: Tree, requirement: Dependency, source: object, indexes: tuple[_UvIndex, ...]
) -> Iterator[DeclaredDependency]:
    forms = source if isinstance(source, list) else [source]
    base = DeclaredDependency(
        requirement.name,
        requirement.source,
        from_reference(tree, requirement.url),
        requirement.specifier,
        requirement.extras,
        requirement.marker,
    )
    if source is None:
        usual = next((each.source for each in indexes if each.is_default), PackageSource())
        yield base if requirement.url else replace(base, source=usual)
        return
    for form in forms:
        marker = text_at(form, "marker")
        both = " and ".join(f"({each})" for each in (requirement.marker, marker) if each)
        yield replace(base, source=_uv_source(tree, form, indexes), marker=both)
    if not _covers([text_at(form, "marker") for form in forms]):
        yield replace(base, source=refuse_source("has a source for some platforms alone, and is not locked"))


def _covers(markers: list[str]) -> bool:
    """Whether one of the markers holds in every image: uv takes the package from an index where none does."""
    environments = (
        {**target_environment(f"3.{minor}"), "platform_machine": each} for minor in _MINORS for each in MACHINES
    )
    return all(any(marker_applies(marker, each) for marker in markers) for each in environments)


@dataclass(frozen=True)
class _UvIndex:
    name: str
    source: PackageSource
    is_default: bool
    is_explicit: bool
    remark: Remark | None = None

    @property
    def is_searched(self) -> bool:
        """Any package may come from it."""
        return not self.is_default and not self.is_explicit


def _uv_indexes(tree: Tree, file: TreeFile, document: Mapping[str, object]) -> tuple[_UvIndex, ...]:
    """uv's indexes: of `uv.toml` if there is one, since uv then leaves out `[tool.uv]`, but for its sources."""
    own = tree.beside(UV_FILE)
    path, settings = (
        (own.path, parse_toml_tables(tree.text(own))) if own else (file.path, table_at(document, "tool", "uv"))
    )
    lines = tree.lines(own or file)
    known = [
        (
            text_at(each, "name"),
            text_at(each, "url"),
            value_at(each, "default") is True,
            value_at(each, "explicit") is True,
        )
        for each in tables_at(settings, "index")
    ]
    if url := text_at(settings, "index-url"):
        known.append(("", url, True, False))
    known += [("", url, False, False) for url in strings_of(list_at(settings, "extra-index-url"))]
    return tuple(_uv_index(path, lines, *each) for each in known)


def _uv_index(path: str, lines: list[str], name: str, url: str, is_default: bool, is_explicit: bool) -> _UvIndex:
    source = from_index(url)
    remark = None
    if source.refusal and not is_explicit:
        where = Source(path, next((number for number, line in enumerate(lines, 1) if url in line), 0))
        label = f"the index {name}" if name else "an index"
        secret = "holds a user name or a password" if has_secret(url) else "is a folder of the machine that wrote it"
        remark = entry_remark(where, f"{label} has an address that {secret}", Origin.PYPROJECT)
    return _UvIndex(name, source, is_default, is_explicit, remark)


def _uv_source(tree: Tree, form: object, indexes: tuple[_UvIndex, ...]) -> PackageSource:
    """https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources"""
    if not isinstance(form, dict):
        return unknown_source(())
    keys = form.keys() - {"marker", "editable", "package"}
    if "git" in keys and not keys - _GIT:
        revision = next((text_at(form, key) for key in _REVISIONS if key in form), "")
        return from_git(text_at(form, "git"), revision, text_at(form, "subdirectory"))
    match sorted(keys):
        case ["url"] | ["subdirectory", "url"]:
            package_source = from_url(text_at(form, "url"), subdirectory=text_at(form, "subdirectory"))
        case ["path"]:
            package_source = from_path(tree, text_at(form, "path") or "/")
        case ["index"]:
            name = text_at(form, "index")
            lost = refuse_source(f"comes from an index {name}, whose address is not in the file")
            package_source = next((each.source for each in indexes if each.name == name), lost)
        case ["workspace"]:
            package_source = refuse_source(
                "is a member of the workspace, and nothing is locked: `uv lock` writes down where it is"
            )
        case _:
            package_source = unknown_source(keys)
    return package_source


def _poetry_entries(tree: Tree, file: TreeFile, document: Mapping[str, object]) -> Iterator[DeclaredDependency]:
    poetry = table_at(document, "tool", "poetry")
    sources = tables_at(poetry, "source")
    groups = (table_at(poetry, "group", name, "dependencies") for name in default_groups(document))
    for entries in (table_at(poetry, "dependencies"), *groups):
        yield from parse_table(tree, entries, file, lambda name: _poetry_index(sources, name))


def default_groups(document: Mapping[str, object]) -> Iterator[str]:
    """The groups that Poetry installs by default, without those for development."""
    for name, group in table_at(document, "tool", "poetry", "group").items():
        if name not in DEVELOPMENT_GROUPS and value_at(group, "optional") is not True:
            yield name


def _poetry_index(sources: list[dict[str, object]], name: str) -> PackageSource:
    """https://python-poetry.org/docs/repositories/#package-sources"""
    if name:
        match = next((each for each in sources if text_at(each, "name").lower() == name.lower()), None)
        if match is None or not text_at(match, "url"):
            return PackageSource() if name.lower() == "pypi" else refuse_source(f"comes from an unknown index {name}")
        return from_index(text_at(match, "url"))
    searched = [each for each in sources if text_at(each, "priority") != "explicit"]
    if not searched:
        return PackageSource()
    urls = {text_at(each, "url") for each in searched}
    alone = len(urls) == 1 and text_at(searched[0], "priority") in {"", "primary", "default"}
    if alone and value_at(searched[0], "secondary") is not True:
        return from_index(urls.pop()) if "" not in urls else PackageSource()
    return refuse_source("may come from several indexes, and nothing is locked")


def _setting_remarks(tree: Tree, file: TreeFile, document: Mapping[str, object]) -> Iterator[Remark]:
    """Settings that change where packages come from, and that no requirement can carry."""
    lines = tree.lines(file)

    def refuse(what: str, pattern: str) -> Remark:
        return entry_remark(Source(file.path, line_of(lines, pattern)), what, Origin.PYPROJECT)

    for each in tables_at(document, "tool", "pdm", "source"):
        if from_index(text_at(each, "url")) != PackageSource() or value_at(each, "verify_ssl") is False:
            yield refuse("names an index of PDM, which a build without PDM would not ask", r"\[\[tool\.pdm\.source")
    path: tuple[str, ...]
    for path in _OTHER_INDEXES:
        if value_at(document, *path) is not None:
            yield refuse(f"names indexes in {'.'.join(path)}, which mldeploy does not read", rf"\[+{'.'.join(path)}")
    for path in _OVERRIDES:
        overrides = value_at(document, *path)
        if any("://" in str(each) for each in (overrides if isinstance(overrides, list) else [overrides])):
            yield refuse(f"takes packages from elsewhere by {path[-1]}", rf"\s*(\[.*)?{path[-1]}")
    for name in _UV_SETTINGS:
        if value_at(document, "tool", "uv", name):
            yield refuse(f"says in [tool.uv] {name} where packages come from, and nothing is locked", rf"\s*{name}")
