"""Dependencies, lists of dependencies, and version specifiers of other tools as PEP 440."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from packaging.markers import Marker, UndefinedEnvironmentName, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from mldeploy.config.settings import LockExport, LockTool
from mldeploy.project.detect.findings import Remark, Source


class Origin(StrEnum):
    """Where a list of dependencies comes from."""

    REQUIREMENTS = "requirements.txt"
    UV_LOCK = "uv.lock"
    POETRY_LOCK = "poetry.lock"
    PYLOCK = "pylock.toml"
    PIPFILE_LOCK = "Pipfile.lock"
    PYPROJECT = "pyproject.toml"
    PIPFILE = "Pipfile"
    CONDA = "environment.yml"
    SCRIPT = "inline metadata"
    SETUP_CFG = "setup.cfg"
    SETUP_PY = "setup.py"
    IMPORTS = "imports"


LOCKS = frozenset({Origin.UV_LOCK, Origin.POETRY_LOCK, Origin.PYLOCK, Origin.PIPFILE_LOCK})
"""Lists that name everything that is installed, with its version."""


@dataclass(frozen=True)
class Dependency:
    """A distribution that the app needs. name: normalized (PEP 503). specifier: PEP 440, "" for any version.

    url: where it is taken from instead of an index; then there is no specifier. marker: PEP 508, "" for everywhere.
    index: the URL of its index, "" for the default one. hashes: `sha256:…`, of every file of it that may be taken.
    line: how a requirements file names what has no name there: a path, or an address alone.
    is_included: it stands in another file, which an option of the list includes.
    """

    name: str
    specifier: str
    source: Source
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str = field(default="", repr=False)  # it may hold a password
    index: str = field(default="", repr=False)
    hashes: tuple[str, ...] = field(default=(), repr=False)
    line: str = field(default="", repr=False)
    is_included: bool = False

    @property
    def pin(self) -> Version | None:
        """The one version that it allows, or None."""
        if self.url or self.line:
            wheel = re.search(r"(?:^|/)[\w.]+-(\d[^-/]*)-[^/]+\.whl(?:$|[#?])", unquote(self.url or self.line))
            return parse_version(wheel[1]) if wheel else None
        return pinned_version(self.specifier)

    def allows(self, other: Version) -> bool:
        return bool(self.url or self.line) or specifier_allows(self.specifier, other)

    @property
    def requirement(self) -> str:
        """As a line of a requirements file."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        hashes = "".join(f" --hash={each}" for each in self.hashes)
        name = self.line or self.name
        return f"{name}{extras}{f' @ {self.url}' if self.url else self.specifier}{marker}{hashes}"


@dataclass(frozen=True)
class DependencyList:
    """A list of dependencies from one source. path: its main file, "" for imports.

    left_out: what it names that pip cannot install (conda's own packages), each with its line.
    options: lines of a requirements file that belong to it: indexes, and other files of the folder.
    """

    origin: Origin
    path: str
    dependencies: tuple[Dependency, ...]
    constraints: tuple[Dependency, ...] = ()
    left_out: tuple[tuple[str, Source], ...] = ()
    remarks: tuple[Remark, ...] = ()
    options: tuple[str, ...] = field(default=(), repr=False)
    complete: bool = False
    """It names what the dependencies need, too: a lock, a frozen list."""
    export: LockExport | None = None
    """How the build can export the list with the tool that wrote it."""
    versions: Mapping[str, Version] = field(init=False, repr=False, compare=False)
    """The pinned version of each distribution, by a dependency or by a constraint."""

    def __post_init__(self) -> None:
        pins = {each.name: each.pin for each in (*self.constraints, *self.dependencies) if each.pin}
        object.__setattr__(self, "versions", pins)

    @property
    def is_computed(self) -> bool:
        """It is a part of the dependencies: the build backend knows the others, and is asked in the build."""
        return self.export is not None and self.export.tool is LockTool.BACKEND

    @property
    def says_something(self) -> bool:
        """It is more than an empty file: it names dependencies, or what is wrong with it."""
        return bool(self.dependencies or self.remarks)

    @property
    def has_index(self) -> bool:
        """It names an index, or a folder with packages."""
        return any(re.match(r"-i\b|-f\b|--(?:extra-)?index-url|--find-links", each) for each in self.options)

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.dependencies}

    def of(self, name: str) -> tuple[Dependency, ...]:
        """Return all entries of one distribution, including constraints."""
        return tuple(each for each in (*self.dependencies, *self.constraints) if each.name == name)


def target_environment(python: str) -> dict[str, str]:
    """The marker variables (PEP 508) of the image: CPython of a feature release ("3.11"), on Linux."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "extra": "",
    }


def marker_applies(marker: str, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds in an environment; one that cannot be read does."""
    try:
        return not marker or Marker(marker).evaluate(dict(environment))
    except (ValueError, UndefinedEnvironmentName):
        return True


def unique_dependencies(dependencies: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """Each distribution once, as it is named first, sorted by name."""
    by_name: dict[str, Dependency] = {}
    for each in dependencies:
        by_name.setdefault(each.name, each)
    return tuple(by_name[name] for name in sorted(by_name))


def to_pep440(text: str) -> str:
    """Poetry's caret and tilde, its bare versions and its stars, as PEP 440 specifiers; PEP 440 stays as it is."""
    return ",".join(
        _part_to_pep440(part.strip())
        for part in text.split("||", maxsplit=1)[0].split(",")
        if part.strip() not in {"", "*"}
    )


def _part_to_pep440(part: str) -> str:
    match = re.fullmatch(r"(\^|~(?!=)|==?(?!=)|)\s*v?(\d+(?:\.\d+)*)(\.\*)?([\w.+-]*)", part)
    if not match:
        return part
    sign, numbers, star, rest = match[1], match[2], match[3] or "", match[4]
    release = [int(number) for number in numbers.split(".") if len(number) < 10]
    if sign == "^":
        kept = next((index for index, number in enumerate(release) if number), len(release) - 1)
        return f">={numbers}{rest},<{_next_release(release[: kept + 1])}"
    if sign == "~":
        return f">={numbers}{rest},<{_next_release(release[:2])}"
    return f"=={numbers}{star}{rest}"


def _next_release(release: list[int]) -> str:
    return ".".join(map(str, [*release[:-1], release[-1] + 1])) if release else "1"


def conda_to_pep440(text: str) -> str:
    """conda's `=1.2`, `1.2.*`, `==1.2` and `=1.2.3=py38_0` as PEP 440; "" if PEP 440 cannot express it."""
    text = text.strip().partition(" ")[0] if not re.match(r"[<>=!~]", text.strip()) else text.replace(" ", "")
    exact = re.fullmatch(r"={1,2}(\d[\w.+!]*)=[\w.*]+", text)  # the last part is the build, which pip knows nothing of
    if exact:
        return f"=={exact[1]}"
    loose = re.fullmatch(r"=?(\d[\w.+!]*?)(\.\*|\*)?", text)
    text = f"=={loose[1]}.*" if loose and (text.startswith("=") or loose[2]) else f"=={text}" if loose else text
    return str(SpecifierSet(text)) if is_valid(text) else ""


def is_valid(text: str) -> bool:
    """Whether a text is a set of PEP 440 specifiers; an empty one is."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def pinned_version(text: str) -> Version | None:
    """The one version that a set of specifiers allows, if it names it: `==1.2.3`, `===1.2.3`."""
    match = re.fullmatch(r"\s*={2,3}\s*([^\s,*]+)\s*", text)
    return parse_version(match[1]) if match else None


def parse_version(text: str) -> Version | None:
    """A PEP 440 version, or None."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def specifier_allows(text: str, candidate: Version) -> bool:
    """Whether a set of specifiers allows a version; what is no set of specifiers allows all."""
    try:
        return SpecifierSet(text).contains(candidate, prereleases=True)
    except InvalidSpecifier:
        return True
