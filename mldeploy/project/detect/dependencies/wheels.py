"""For which Pythons (CPython on 64-bit Linux) well-known compiled packages have wheels.

Without one, the build compiles the package from its source, in an image that has no compiler. To add a package, add a
line to both tables: `uv pip compile --only-binary :all: --resolution lowest --python-version X` finds the first one.
"""

from __future__ import annotations

from typing import Final

from packaging.version import Version

_PYTHONS: Final = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_FIRST: Final = {
    "catboost": "0.20 0.24.4 1.0.1 1.2 1.2.3 1.2.8 1.2.9",
    "matplotlib": "3.1.2 3.3.3 3.5.0 3.6.0 3.8.0 3.9.2 3.10.5",
    "numba": "0.47 0.53 0.55 0.57 0.59 0.61 0.63",
    "numpy": "1.17.3 1.19.3 1.21.2 1.23.2 1.26.0 2.1.0 2.3.2",
    "opencv-python-headless": "3.4 3.4 3.4 3.4 3.4 3.4 3.4",
    "pandas": "0.25.2 1.1.3 1.3.3 1.5.0 2.1.1 2.2.3 2.3.3",
    "pyarrow": "0.15.1 3.0 6.0 10.0.1 14.0 18.0 22.0",
    "scikit-learn": "0.22 0.24 1.0.2 1.1.3 1.3.1 1.5.2 1.7.2",
    "scipy": "1.3.2 1.5.4 1.7.2 1.9.2 1.11.2 1.14.1 1.16.1",
    "tensorflow": "2.2 2.5 2.8 2.12 2.16.1 2.20 2.22",
    "torch": "1.4 1.7.1 1.11 1.13 2.2 2.5 2.9",
    "torchvision": "0.5 0.8.2 0.12 0.14 0.17 0.20 0.24",
}
"""The first version with a wheel for each of these Pythons."""
_LAST: Final = {
    "matplotlib": "3.7.5 3.9.4 3.10.999",
    "numba": "0.58.1 0.60",
    "numpy": "1.24.4 2.0.2 2.2.6 2.4.999",
    "pandas": "2.0.3 2.3.999 2.3.999",
    "pyarrow": "17.0 21.0",
    "scikit-learn": "1.3.2 1.6.1 1.7.999",
    "scipy": "1.10.1 1.13.1 1.15.3",
    "tensorflow": "2.13.1 2.20.999",
    "torch": "2.4.1 2.8.999",
    "torchvision": "0.19.1 0.23.999",
}
"""The last version with a wheel for each of the older Pythons, in the same order; the newer ones have no last one."""


def has_wheel(name: str, version: Version, python: str) -> bool:
    """Whether a version has a wheel for a feature release ("3.11"); what is not known here has one."""
    first, last = _bound(_FIRST, name, python), _bound(_LAST, name, python)
    return (first is None or version >= first) and (last is None or version <= last)


def find_python(name: str, version: Version) -> str:
    """The newest feature release that a version has a wheel for, "" if there is none that is known."""
    return next((python for python in reversed(_PYTHONS) if name in _FIRST and has_wheel(name, version, python)), "")


def _bound(table: dict[str, str], name: str, python: str) -> Version | None:
    bounds = table.get(name, "").split()
    position = _PYTHONS.index(python) if python in _PYTHONS else len(bounds)
    return Version(bounds[position]) if position < len(bounds) else None
