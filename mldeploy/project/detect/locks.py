"""Lock files: what exactly was installed, brought down to what the image will need.

A lock holds every platform's and every group's packages. What counts is what the app itself reaches, without its
development groups, with the markers of a Linux image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from mldeploy.project.detect.dependency import Dependency, Listing, Origin, applies, unique
from mldeploy.project.detect.documents import at, items, line_of, load_json, table, text_at, toml
from mldeploy.project.detect.findings import Source
from mldeploy.project.detect.requirements_txt import parsed
from mldeploy.project.detect.specifiers import pep440, version
from mldeploy.project.detect.tree import File, Tree

Environment = Mapping[str, str]


@dataclass(frozen=True)
class _Edge:
    """A package needs another one, under a marker, with extras."""

    name: str
    marker: str = ""
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Package:
    """A locked package. extra: what each of its extras adds."""

    name: str
    version: str
    line: int
    needs: tuple[_Edge, ...]
    extra: Mapping[str, tuple[_Edge, ...]]
    marker: str = ""
    is_root: bool = False


def uv_lock(tree: Tree, file: File, environment: Environment) -> Listing:
    """`uv.lock`: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile"""
    document = toml(tree.text(file))
    lines = iter(_package_lines(tree, file))
    packages = [_uv_package(entry, next(lines, 0)) for entry in items(document, "package")]
    start = [edge for package in packages if package.is_root for edge in package.needs]
    return _listing(Origin.UV_LOCK, file, [each for each in packages if not each.is_root], start, environment)


def _uv_package(entry: object, line: int) -> _Package:
    source = table(entry, "source")
    is_root = bool({"virtual", "editable"} & source.keys()) or source.get("directory") == "."
    extras = {name: _uv_edges(edges) for name, edges in table(entry, "optional-dependencies").items()}
    name, marker = canonicalize_name(text_at(entry, "name")), _any_of(items(entry, "resolution-markers"))
    return _Package(
        name, text_at(entry, "version"), line, _uv_edges(at(entry, "dependencies")), extras, marker, is_root
    )


def _uv_edges(found: object) -> tuple[_Edge, ...]:
    return tuple(
        _Edge(canonicalize_name(text_at(each, "name")), text_at(each, "marker"), _texts(items(each, "extra")))
        for each in (found if isinstance(found, list) else [])
    )


def poetry_lock(tree: Tree, file: File, environment: Environment) -> Listing:
    """`poetry.lock`, with `pyproject.toml` beside it for what the app itself needs."""
    document = toml(tree.text(file))
    lines = iter(_package_lines(tree, file))
    packages = [_poetry_package(entry, next(lines, 0)) for entry in items(document, "package")]
    pyproject = tree.get("pyproject.toml")
    start = (
        [_Edge(each.name, each.marker, each.extras) for each in pyproject_dependencies(tree, pyproject)]
        if pyproject
        else []
    )
    return _listing(Origin.POETRY_LOCK, file, packages, start, environment)


def _poetry_package(entry: object, line: int) -> _Package:
    needs = tuple(
        _Edge(canonicalize_name(name), text_at(each, "markers"), _texts(items(each, "extras")))
        for name, value in table(entry, "dependencies").items()
        for each in (value if isinstance(value, list) else [value])
        if at(each, "optional") is not True
    )
    extras: dict[str, tuple[_Edge, ...]] = {
        canonicalize_name(name): tuple(
            _Edge(found.name) for text in _texts(texts) if (found := parsed(text, Source("")))
        )
        for name, texts in table(entry, "extras").items()
    }
    return _Package(canonicalize_name(text_at(entry, "name")), text_at(entry, "version"), line, needs, extras)


def pylock(tree: Tree, file: File, environment: Environment) -> Listing:
    """`pylock.toml` (PEP 751)."""
    lines = iter(_package_lines(tree, file))
    packages = [
        _Package(
            canonicalize_name(text_at(each, "name")),
            text_at(each, "version"),
            next(lines, 0),
            (),
            {},
            text_at(each, "marker"),
        )
        for each in items(toml(tree.text(file)), "packages")
    ]
    return _listing(Origin.PYLOCK, file, packages, [], environment)


def pipfile_lock(tree: Tree, file: File, environment: Environment) -> Listing:
    """`Pipfile.lock`: the packages of its `default` section."""
    lines = tree.lines(file)
    found = [
        Dependency(
            canonicalize_name(name),
            text_at(each, "version"),
            Source(file.path, _line_of_key(lines, name)),
        )
        for name, each in table(load_json(tree.text(file)), "default").items()
        if applies(text_at(each, "markers"), environment)
    ]
    return Listing(Origin.PIPFILE_LOCK, file.path, unique(found), complete=True)


def _line_of_key(lines: list[str], name: str) -> int:
    """The line of a JSON file on which a key's value begins."""
    return line_of(lines, rf'\s*"{re.escape(name)}": ')


def pyproject_dependencies(tree: Tree, file: File) -> Iterator[Dependency]:
    """What `pyproject.toml` asks for: PEP 621's `dependencies`, or Poetry's table."""
    document, lines = toml(tree.text(file)), tree.lines(file)
    for text in _texts(items(document, "project", "dependencies")):
        if found := parsed(text, Source(file.path, _line_with(lines, text))):
            yield found
    yield from _table_dependencies(table(document, "tool", "poetry", "dependencies"), file, lines)


def pipfile_dependencies(tree: Tree, file: File) -> Iterator[Dependency]:
    """What a Pipfile's `[packages]` asks for."""
    yield from _table_dependencies(table(toml(tree.text(file)), "packages"), file, tree.lines(file))


def _table_dependencies(entries: Mapping[str, object], file: File, lines: list[str]) -> Iterator[Dependency]:
    """`name = "^1.2"` and `name = {version = "^1.2", extras = […]}`, as Poetry and Pipenv write them."""
    for name, value in entries.items():
        first = value[0] if isinstance(value, list) and value else value
        if name.lower() == "python" or at(first, "optional") is True:
            continue
        text = first if isinstance(first, str) else text_at(first, "version")
        source = Source(file.path, line_of(lines, rf'\s*"?{re.escape(name)}"?\s*='))
        extras, git = _texts(items(first, "extras")), text_at(first, "git")
        url = f"git+{git}" if git else text_at(first, "url")
        specifier = "" if url else pep440(text)
        yield Dependency(canonicalize_name(name), specifier, source, extras, text_at(first, "markers"), url)


def _listing(
    origin: Origin, file: File, packages: Iterable[_Package], start: list[_Edge], environment: Environment
) -> Listing:
    """The packages that `start` reaches; all of them if it is empty."""
    here = [each for each in packages if each.name and applies(each.marker, environment)]
    by_name = {each.name: each for each in here}
    queue = start or [_Edge(each.name) for each in here]
    seen: set[tuple[str, str]] = set()
    reached: dict[str, _Package] = {}
    for edge in queue:  # grows while it is walked
        package = by_name.get(edge.name)
        if package is None or not applies(edge.marker, environment):
            continue
        reached[edge.name] = package
        for extra in ("", *edge.extras):
            if (edge.name, extra) not in seen:
                seen.add((edge.name, extra))
                queue.extend(package.extra.get(extra, ()) if extra else package.needs)
    found = (_dependency(each, file) for each in reached.values())
    return Listing(origin, file.path, unique(found), complete=True)


def _dependency(package: _Package, file: File) -> Dependency:
    known = version(package.version)
    return Dependency(package.name, f"=={known}" if known else "", Source(file.path, package.line))


def _package_lines(tree: Tree, file: File) -> Iterator[int]:
    """The lines on which the packages of a lock begin, in their order."""
    for number, line in enumerate(tree.lines(file), start=1):
        if line.startswith(("[[package]]", "[[packages]]")):
            yield number


def _line_with(lines: list[str], text: str) -> int:
    return next((number for number, line in enumerate(lines, start=1) if text in line), 0)


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _any_of(markers: list[object]) -> str:
    return " or ".join(f"({marker})" for marker in _texts(markers))
