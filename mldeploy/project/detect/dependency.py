"""One dependency, and the lists of them that the files of a folder hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.markers import Marker, UndefinedEnvironmentName, default_environment
from packaging.version import Version

from mldeploy.project.detect.findings import Remark, Source
from mldeploy.project.detect.specifiers import allows, pinned


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
    IMPORTS = "imports"


LOCKS = frozenset({Origin.UV_LOCK, Origin.POETRY_LOCK, Origin.PYLOCK, Origin.PIPFILE_LOCK})
"""Lists that name everything that is installed, with its version."""


@dataclass(frozen=True)
class Dependency:
    """A distribution that the app needs. name: normalized (PEP 503). specifier: PEP 440, "" for any version.

    url: where it is taken from instead of an index; then there is no specifier. marker: PEP 508, "" for everywhere.
    """

    name: str
    specifier: str
    source: Source
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str = field(default="", repr=False)  # it may hold a password

    @property
    def pin(self) -> Version | None:
        """The one version that it allows, or None."""
        return pinned(self.specifier)

    def allows(self, version: Version) -> bool:
        return bool(self.url) or allows(self.specifier, version)

    @property
    def requirement(self) -> str:
        """As a line of a requirements file."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}{f' @ {self.url}' if self.url else self.specifier}{marker}"


@dataclass(frozen=True)
class Listing:
    """A list of dependencies as one place gives it. path: its main file, "" for imports.

    left_out: what it names that pip cannot install (conda's own packages), each with its place.
    """

    origin: Origin
    path: str
    dependencies: tuple[Dependency, ...]
    constraints: tuple[Dependency, ...] = ()
    left_out: tuple[tuple[str, Source], ...] = ()
    remarks: tuple[Remark, ...] = ()
    complete: bool = False
    """It names what the dependencies need, too: a lock, a frozen list."""
    versions: Mapping[str, Version] = field(init=False, repr=False, compare=False)
    """The pinned version of each distribution, by a dependency or by a constraint."""

    def __post_init__(self) -> None:
        pins = {each.name: each.pin for each in (*self.constraints, *self.dependencies) if each.pin}
        object.__setattr__(self, "versions", pins)

    @property
    def says_something(self) -> bool:
        """It is more than an empty file: it names dependencies, or what is wrong with it."""
        return bool(self.dependencies or self.remarks)

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.dependencies}

    def of(self, name: str) -> tuple[Dependency, ...]:
        """Everything that is said of one distribution, constraints included."""
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


def applies(marker: str, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds in an environment; one that cannot be read does."""
    try:
        return not marker or Marker(marker).evaluate(dict(environment))
    except (ValueError, UndefinedEnvironmentName):
        return True


def unique(dependencies: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """Each distribution once, as it is named first, sorted by name."""
    found: dict[str, Dependency] = {}
    for each in dependencies:
        found.setdefault(each.name, each)
    return tuple(found[name] for name in sorted(found))
