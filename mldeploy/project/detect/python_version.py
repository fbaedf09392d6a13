"""The Python that the app was written for, wherever a folder can say so, and what to do when it is long dead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mldeploy.project.detect import conda
from mldeploy.project.detect.dockerfile import Dockerfile
from mldeploy.project.detect.documents import line_of, table, text_at, toml
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.specifiers import pep440
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
class Python:
    """A version that the folder asks for. written: as it stands there. version: the feature release to build with.

    replaces: the release asked for, where that is dead and `version` is the nearest that still gets security fixes.
    """

    written: str
    version: Version
    replaces: Version | None = None

    def __str__(self) -> str:
        return text_of(self.version)


@dataclass(frozen=True)
class _Claim:
    """What one place says: a version, or a set of versions."""

    written: str
    source: Source
    exact: Version | None = None
    allowed: SpecifierSet | None = None

    def allows(self, version: Version) -> bool:
        if self.exact:
            return self.exact == version
        # A bound such as <3.11.5 or >=3.11.2 is met by some release of 3.11.
        return self.allowed is None or any(self.allowed.contains(f"{text_of(version)}.{patch}") for patch in (0, 5, 30))


def python(tree: Tree, dockerfile: Dockerfile | None, today: date) -> tuple[Found[Python] | None, tuple[Remark, ...]]:
    """The version to build with, and what is wrong with what the folder says of it."""
    claims = tuple(_claims(tree, dockerfile))
    if not claims:
        return None, ()
    first = next((claim for claim in claims if claim.exact), claims[0])
    wanted = first.exact or _choice(first, today)
    remarks = list(_contradictions(first, wanted, claims))
    alive = _alive(wanted, today)
    if alive != wanted:
        remarks.append(_dead(first, wanted, alive, own=dockerfile is not None and dockerfile.is_used))
    chosen = Python(first.written, alive, wanted if alive != wanted else None)
    return Found(chosen, first.source, Certainty.CERTAIN if first.exact else Certainty.LIKELY), tuple(remarks)


def _claims(tree: Tree, dockerfile: Dockerfile | None) -> Iterator[_Claim]:
    """What each place says, the most deliberate first."""
    yield from _version_files(tree)
    yield from _pyproject(tree)
    yield from _pipfile(tree)
    file = tree.first(*conda.FILES)
    if file and (found := conda.python_version(tree, file)):
        yield from _specified(*found)
    if dockerfile and dockerfile.base:
        image, source = dockerfile.base
        match = re.fullmatch(r"(?:.*/)?(?:python|pypy|uvicorn-gunicorn[\w-]*):(?:python)?(\d+)\.(\d+)\S*", image)
        if match:
            yield _Claim(image, source, (int(match[1]), int(match[2])))


def _version_files(tree: Tree) -> Iterator[_Claim]:
    for name, pattern in (
        (".python-version", r"\s*(?:cpython[-@])?(\d+)\.(\d+)(?:[.\w-]*)\s*"),
        ("runtime.txt", r"\s*python-(\d+)\.(\d+)(?:\.\d+)?\s*"),
        (".tool-versions", r"\s*python\s+(\d+)\.(\d+)\S*.*"),
    ):
        file = tree.get(name)
        for number, line in enumerate(tree.lines(file) if file else [], start=1):
            match = re.fullmatch(pattern, line)
            if match:
                yield _Claim(line.strip(), Source(name, number), _small(match[1], match[2]))
                break


def _small(major: str, minor: str) -> Version | None:
    return (int(major), int(minor)) if len(major) == 1 and len(minor) < 3 else None


def _pyproject(tree: Tree) -> Iterator[_Claim]:
    file = tree.get("pyproject.toml")
    if file is None:
        return
    tables = toml(tree.text(file))
    for key, text in (
        ("requires-python", text_at(tables, "project", "requires-python")),
        ("python", text_at(tables, "tool", "poetry", "dependencies", "python")),
    ):
        if text:
            source = Source(file.path, line_of(tree.lines(file), rf"\s*{key}\s*="))
            yield from _specified(text, source)


def _pipfile(tree: Tree) -> Iterator[_Claim]:
    file = tree.get("Pipfile")
    requires = table(toml(tree.text(file)), "requires") if file else {}
    text = text_at(requires, "python_version") or text_at(requires, "python_full_version")
    match = re.match(r"(\d)\.(\d\d?)(?!\d)", text)
    if file and match:
        source = Source(file.path, line_of(tree.lines(file), r"\s*python_(full_)?version\s*="))
        yield _Claim(text, source, (int(match[1]), int(match[2])))


def _specified(text: str, source: Source) -> Iterator[_Claim]:
    try:
        allowed = SpecifierSet(pep440(text))
    except InvalidSpecifier:
        return
    yield _Claim(text, source, allowed=allowed)


def _choice(claim: _Claim, today: date) -> Version:
    """The release that a range stands for: the default where it is allowed, else the nearest to it that is."""
    allowed = [version for version in END_OF_LIFE if claim.allows(version)]
    living = [version for version in allowed if END_OF_LIFE[version] >= today]
    return min(living or allowed or [DEFAULT], key=lambda version: (abs(version[1] - DEFAULT[1]), version))


def _alive(wanted: Version, today: date) -> Version:
    """The version itself while it gets security fixes (or is too new for us to know), else the oldest that does."""
    living = [version for version, end in END_OF_LIFE.items() if end >= today]
    if wanted > max(END_OF_LIFE) or not living:
        return wanted
    return wanted if wanted in living else max(min(living), DEFAULT)


def _dead(claim: _Claim, wanted: Version, alive: Version, *, own: bool) -> Remark:
    end = END_OF_LIFE.get(wanted)
    since = (
        f"got its last security fix on {end.isoformat()}" if end else "has been without security fixes for many years"
    )
    what = f"asks for Python {text_of(wanted)}, which {since}"
    image = "Base the Dockerfile on" if own else "The image gets"
    todo = (
        f"{image} Python {text_of(alive)}. Lift the pins that have no release for it, and train the model again where "
        f"its library had to be lifted."
    )
    return Remark("python-dead", Severity.WARNING, claim.source, what, todo)


def _contradictions(first: _Claim, wanted: Version, claims: tuple[_Claim, ...]) -> Iterator[Remark]:
    for claim in claims:
        if claim is not first and not claim.allows(wanted):
            what = f"says Python {claim.written}, but {first.source} says {first.written}"
            todo = f"Python {text_of(wanted)} was taken; make the two say the same."
            yield Remark("python-differs", Severity.WARNING, claim.source, what, todo)


def text_of(version: Version) -> str:
    """`(3, 11)` → "3.11"."""
    return f"{version[0]}.{version[1]}"
