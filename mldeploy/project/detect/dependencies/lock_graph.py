"""A lock as a graph: what the app itself reaches in it, on a Linux image, each package with its source.

A lock holds every platform's and every group's packages. What counts is what the app needs, without its development
groups. An image may be built for several processors: what only one of them needs gets a marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mldeploy.project.detect.dependencies.dependency import (
    Dependency,
    DependencyList,
    Origin,
    marker_applies,
    parse_version,
    specifier_allows,
)
from mldeploy.project.detect.dependencies.package_sources import (
    PackageSource,
    bind_indexes,
    from_url,
    source_remark,
    with_source,
)
from mldeploy.project.detect.documents import list_at
from mldeploy.project.detect.findings import Remark, Source
from mldeploy.project.detect.tree import Tree, TreeFile

MarkerVariables = Mapping[str, str]


@dataclass(frozen=True)
class Edge:
    """A package needs another one, under a marker, with extras. version, key: which of several, if they say so."""

    name: str
    marker: str = ""
    extras: tuple[str, ...] = ()
    version: str = ""
    key: str = ""
    specifier: str = ""


@dataclass(frozen=True)
class LockedPackage:
    """A locked package. extra: what each of its extras adds. key: its source as the lock writes it."""

    name: str
    version: str
    line: int
    source: PackageSource
    needs: tuple[Edge, ...] = ()
    extra: Mapping[str, tuple[Edge, ...]] | None = None
    marker: str = ""
    files: tuple[LockedFile, ...] = ()
    key: str = ""

    @property
    def is_indexed(self) -> bool:
        """It comes from an index, and a file of it can be named by its address."""
        source = self.source
        return not (source.url or source.path or source.refusal or source.is_project or source.is_virtual)


def resolve_lock(
    origin: Origin, file: TreeFile, packages: Iterable[LockedPackage], start: list[Edge], environment: MarkerVariables
) -> DependencyList:
    """The packages that `start` reaches; all of them if it is empty."""
    packages = tuple(each for each in packages if each.name)
    reached = {
        machine: tuple(_walk_packages(packages, start, {**environment, "platform_machine": machine}))
        for machine in MACHINES
    }
    used = tuple({id(each): each for known in reached.values() for each in known}.values())
    mixed = len({each.source.index for each in used if each.is_indexed}) > 1
    merged: dict[Dependency, list[str]] = {}
    for machine, known in reached.items():
        for package in known:
            if each := _dependency(package, file, environment["python_version"], machine, mixed=mixed):
                merged.setdefault(each, []).append(machine)
    dependencies = sorted(
        (_restrict_machines(each, machines) for each, machines in merged.items()),
        key=lambda each: (each.name, each.marker),
    )
    return bind_indexes(
        DependencyList(origin, file.path, tuple(dependencies), remarks=_refusals(origin, file, used), complete=True)
    )


def _refusals(origin: Origin, file: TreeFile, used: Iterable[LockedPackage]) -> tuple[Remark, ...]:
    return tuple(
        source_remark(each.name, Source(file.path, each.line), each.source, origin)
        for each in used
        if each.source.refusal
    )


def _walk_packages(
    packages: tuple[LockedPackage, ...], start: list[Edge], environment: MarkerVariables
) -> Iterator[LockedPackage]:
    here: dict[str, list[LockedPackage]] = {}
    for package in packages:
        if marker_applies(package.marker, environment):
            here.setdefault(package.name, []).append(package)
    every = (each for known in here.values() for each in known)
    queue = list(start) or [Edge(each.name, version=each.version, key=each.key) for each in every]
    seen: set[tuple[int, str]] = set()
    for edge in queue:  # grows while it is walked
        if not marker_applies(edge.marker, environment):
            continue
        for package in _select_packages(here.get(edge.name, []), edge):
            if (id(package), "") not in seen:
                yield package
            for extra in ("", *edge.extras):
                if (id(package), extra) not in seen:
                    seen.add((id(package), extra))
                    queue.extend((package.extra or {}).get(extra, ()) if extra else package.needs)


def _select_packages(candidates: list[LockedPackage], edge: Edge) -> list[LockedPackage]:
    """Of the packages of one name those that the edge means."""
    meant = [each for each in candidates if edge.version in {"", each.version} and edge.key in {"", each.key}]
    if len(meant) == 1:
        return meant
    return [
        each for each in meant if not (known := parse_version(each.version)) or specifier_allows(edge.specifier, known)
    ]


def _dependency(package: LockedPackage, file: TreeFile, python: str, machine: str, *, mixed: bool) -> Dependency | None:
    known, source = parse_version(package.version), package.source
    base = Dependency(package.name, f"=={known}" if known else "", Source(file.path, package.line))
    if source.refusal:
        return None
    if mixed and source.index and any(each.url for each in package.files):
        # An index that is searched beside another one answers for each other's names: the file itself does not.
        chosen = {each: choose_file(package.files, python, each) for each in MACHINES}
        if here := chosen[machine]:
            direct = from_url(here.url, here.digest)
            if not direct.refusal:
                return with_source(base, direct)
        elif any(chosen.values()):
            return None  # the lock has no file of it for this processor
    digests = list_hashes(package.name, package.files, is_default_index=not (source.index or source.is_by_hash))
    return with_source(replace(base, hashes=digests), source)


def _restrict_machines(each: Dependency, machines: list[str]) -> Dependency:
    if len(machines) == len(MACHINES):
        return each
    return replace(each, marker=" or ".join(f"platform_machine == '{machine}'" for machine in machines))


def package_lines(tree: Tree, file: TreeFile) -> Iterator[int]:
    """The lines on which the packages of a lock in TOML begin, in their order."""
    for number, line in enumerate(tree.lines(file), start=1):
        if line.replace(" ", "").startswith(("[[package]]", "[[packages]]")):
            yield number


def strings_of(values: object) -> tuple[str, ...]:
    """The strings of a list; empty if it is none."""
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def join_markers(markers: list[object]) -> str:
    """One marker that holds where any of several does."""
    return " or ".join(f"({marker})" for marker in strings_of(markers))


def tables_at(document: object, *path: str) -> list[dict[str, object]]:
    """The tables of a list; what else is in it is left out."""
    return [each for each in list_at(document, *path) if isinstance(each, dict)]


MACHINES = ("x86_64", "aarch64")
"""What an image may be built for, as `platform_machine` (PEP 508) has it."""

_GLIBC = 36
"""The minor version of the usual base image's C library: no wheel that needs a newer one is chosen."""
_LEGACY = ("manylinux2014", "manylinux2010", "manylinux1", "linux")

_TORCH_PACKAGES = re.compile(
    r"(?:py)?torch.*|triton.*|nvidia-.*|torchvision|torchaudio|torchtext|xformers|vllm|fbgemm-gpu.*"
)


@dataclass(frozen=True)
class LockedFile:
    """A file of a lock. digest: `sha256:…`, "" if the lock has none."""

    name: str
    url: str = field(default="", repr=False)
    digest: str = ""


def file_name(url: str) -> str:
    """The name of the file at an address."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def choose_file(files: Iterable[LockedFile], python: str, machine: str) -> LockedFile | None:
    """The best wheel for CPython of a feature release ("3.11") on Linux; else the sources; None if neither fits."""
    files = tuple(files)
    order = _tags(python, machine)
    ranked = [(rank, each) for each in files if (rank := _rank(each.name, order)) is not None]
    if ranked:
        return min(ranked, key=lambda pair: pair[0])[1]
    return next((each for each in files if not each.name.endswith(".whl")), None)


def list_hashes(name: str, files: Iterable[LockedFile], *, is_default_index: bool) -> tuple[str, ...]:
    """The hashes of a package's files; none for PyTorch's own packages of the default index.

    The image takes those from PyTorch's index for the processor alone (`image.torch`), where they are other files.
    """
    if is_default_index and _TORCH_PACKAGES.fullmatch(name):
        return ()
    return tuple(sorted({each.digest for each in files if each.digest}))


def _rank(name: str, order: dict[Tag, int]) -> int | None:
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return None
    return min((order[tag] for tag in tags if tag in order), default=None)


@lru_cache(maxsize=8)
def _tags(python: str, machine: str) -> dict[Tag, int]:
    """Every tag that such an image takes, with its rank."""
    version = tuple(int(part) for part in python.split(".")[:2])
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 4, -1)]
    platforms += [f"{legacy}_{machine}" for legacy in _LEGACY]
    tags = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, interpreter=f"cp{''.join(map(str, version))}", platforms=platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}
