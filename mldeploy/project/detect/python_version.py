"""Detect the Python version of the app, and replace a version that no longer gets security fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mldeploy.project.detect.dependencies import conda
from mldeploy.project.detect.dependencies.dependency import to_pep440
from mldeploy.project.detect.dependencies.listing import enclosing_folders
from mldeploy.project.detect.dependencies.script_metadata import script_python
from mldeploy.project.detect.dependencies.setuptools_metadata import setup_python
from mldeploy.project.detect.documents import line_of, parse_toml_tables, table_at, text_at
from mldeploy.project.detect.findings import Certainty, Detected, Remark, Severity, Source
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.tree import Tree

END_OF_LIFE: Final = {
    (3, 6): date(2021, 12, 23),
    (3, 7): date(2023, 6, 27),
    (3, 8): date(2024, 10, 7),
    (3, 9): date(2025, 10, 31),
    (3, 10): date(2026, 10, 31),
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
"""The day of the last security fix: https://devguide.python.org/versions/"""

DEFAULT: Final = (3, 11)
"""The version of the base image that `build.base_image` has if nobody sets it."""

Version = tuple[int, int]


@dataclass(frozen=True)
class PythonVersion:
    """A requested Python version. written: the text in the file. version: the feature release to build with.

    replaces: the requested release, if it is end-of-life and `version` is the nearest that still gets security fixes.
    """

    written: str
    version: Version
    replaces: Version | None = None

    def __str__(self) -> str:
        return format_release(self.version)


@dataclass(frozen=True)
class _PythonClaim:
    """The version, or set of versions, that one location requests."""

    written: str
    source: Source
    exact: Version | None = None
    allowed: SpecifierSet | None = None

    def allows(self, version: Version) -> bool:
        if self.exact:
            return self.exact == version
        # A bound such as <3.11.5 or >=3.11.2 is met by some release of 3.11.
        return self.allowed is None or any(
            self.allowed.contains(f"{format_release(version)}.{patch}") for patch in (0, 5, 30)
        )


def detect_python(
    tree: Tree, dockerfile: Dockerfile | None, today: date, script: str = ""
) -> tuple[Detected[PythonVersion] | None, tuple[Remark, ...]]:
    """Return the version to build with, and remarks on contradictions and end-of-life versions.

    script: the path of the app's file: what stands in its folder and those above it counts, the nearest first.
    """
    claims = tuple(_claims(tree, dockerfile, script))
    if not claims:
        return None, ()
    first = next((claim for claim in claims if claim.exact), claims[0])
    requested = first.exact or _choose_release(first, today)
    remarks = list(_contradictions(first, requested, claims))
    alive = _supported_release(requested, today)
    if alive != requested:
        remarks.append(_end_of_life_remark(first, requested, alive, own=dockerfile is not None and dockerfile.is_used))
    chosen = PythonVersion(first.written, alive, requested if alive != requested else None)
    return Detected(chosen, first.source, Certainty.CERTAIN if first.exact else Certainty.LIKELY), tuple(remarks)


def _claims(tree: Tree, dockerfile: Dockerfile | None, script: str) -> Iterator[_PythonClaim]:
    """Yield the claim of each location, the most explicit first."""
    views = [tree.at(folder) for folder in enclosing_folders(script)]
    for read in (_version_files, _pyproject, _pipfile, _conda, _setup):
        for view in views:
            yield from read(view)
    if (file := tree.get(script)) and (inline := script_python(tree, file)):
        yield from _specified(*inline)
    if dockerfile and dockerfile.base:
        image, source = dockerfile.base
        match = re.fullmatch(r"(?:.*/)?(?:python|pypy|uvicorn-gunicorn[\w-]*):(?:python)?(\d+)\.(\d+)\S*", image)
        if match:
            yield _PythonClaim(image, source, (int(match[1]), int(match[2])))


def _conda(tree: Tree) -> Iterator[_PythonClaim]:
    file = next(filter(None, map(tree.beside, conda.FILES)), None)
    if file and (claim := conda.conda_python(tree, file)):
        yield from _specified(*claim)


def _setup(tree: Tree) -> Iterator[_PythonClaim]:
    if claim := setup_python(tree):
        yield from _specified(*claim)


def _version_files(tree: Tree) -> Iterator[_PythonClaim]:
    for name, pattern in (
        (".python-version", r"\s*(?:cpython[-@])?(\d+)\.(\d+)(?:[.\w-]*)\s*"),
        ("runtime.txt", r"\s*python-(\d+)\.(\d+)(?:\.\d+)?\s*"),
        (".tool-versions", r"\s*python\s+(\d+)\.(\d+)\S*.*"),
    ):
        file = tree.beside(name)
        for number, line in enumerate(tree.lines(file) if file else [], start=1):
            match = re.fullmatch(pattern, line)
            if file and match:
                yield _PythonClaim(line.strip(), Source(file.path, number), _small(match[1], match[2]))
                break


def _small(major: str, minor: str) -> Version | None:
    return (int(major), int(minor)) if len(major) == 1 and len(minor) < 3 else None


def _pyproject(tree: Tree) -> Iterator[_PythonClaim]:
    file = tree.beside("pyproject.toml")
    if file is None:
        return
    tables = parse_toml_tables(tree.text(file))
    for key, text in (
        ("requires-python", text_at(tables, "project", "requires-python")),
        ("python", text_at(tables, "tool", "poetry", "dependencies", "python")),
    ):
        if text:
            source = Source(file.path, line_of(tree.lines(file), rf"\s*{key}\s*="))
            yield from _specified(text, source)


def _pipfile(tree: Tree) -> Iterator[_PythonClaim]:
    file = tree.beside("Pipfile")
    requires = table_at(parse_toml_tables(tree.text(file)), "requires") if file else {}
    text = text_at(requires, "python_version") or text_at(requires, "python_full_version")
    match = re.match(r"(\d)\.(\d\d?)(?!\d)", text)
    if file and match:
        source = Source(file.path, line_of(tree.lines(file), r"\s*python_(full_)?version\s*="))
        yield _PythonClaim(text, source, (int(match[1]), int(match[2])))


def _specified(text: str, source: Source) -> Iterator[_PythonClaim]:
    try:
        allowed = SpecifierSet(to_pep440(text))
    except InvalidSpecifier:
        return
    yield _PythonClaim(text, source, allowed=allowed)


def _choose_release(claim: _PythonClaim, today: date) -> Version:
    """The release that a range stands for: the default where it is allowed, else the nearest to it that is."""
    allowed = [version for version in END_OF_LIFE if claim.allows(version)]
    living = [version for version in allowed if END_OF_LIFE[version] >= today]
    return min(living or allowed or [DEFAULT], key=lambda version: (abs(version[1] - DEFAULT[1]), version))


def _supported_release(requested: Version, today: date) -> Version:
    """The version itself while it gets security fixes (or is too new for us to know), else the oldest that does."""
    living = [version for version, end in END_OF_LIFE.items() if end >= today]
    if requested > max(END_OF_LIFE) or not living:
        return requested
    return requested if requested in living else max(min(living), DEFAULT)


def _end_of_life_remark(claim: _PythonClaim, requested: Version, supported: Version, *, own: bool) -> Remark:
    end = END_OF_LIFE.get(requested)
    since = (
        f"got its last security fix on {end.isoformat()}" if end else "has been without security fixes for many years"
    )
    what = f"requests Python {format_release(requested)}, which {since}"
    image = "Base the Dockerfile on" if own else "The image gets"
    todo = (
        f"{image} Python {format_release(supported)}. Upgrade packages that have no release for it, and retrain the "
        f"model if its library version changes."
    )
    return Remark("python-dead", Severity.WARNING, claim.source, what, todo)


def _contradictions(first: _PythonClaim, chosen: Version, claims: tuple[_PythonClaim, ...]) -> Iterator[Remark]:
    for claim in claims:
        if claim is not first and not claim.allows(chosen):
            what = f"requests Python {claim.written}, but {first.source} requests {first.written}"
            todo = f"Python {format_release(chosen)} is used. Set the same version in both files."
            yield Remark("python-differs", Severity.WARNING, claim.source, what, todo)


def format_release(version: Version) -> str:
    """`(3, 11)` → "3.11"."""
    return f"{version[0]}.{version[1]}"
