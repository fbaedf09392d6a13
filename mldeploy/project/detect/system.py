"""System libraries that wheels do not bring along: without them an import fails in a slim image."""

from __future__ import annotations

from typing import Final

from mldeploy.project.detect.dependency import Listing, applies, target_environment
from mldeploy.project.detect.findings import Found

_OPENCV = ("libgl1", "libglib2.0-0", "libsm6", "libxext6")
_NEEDS: Final = {
    "lightgbm": ("libgomp1",),
    "opencv-contrib-python": _OPENCV,
    "opencv-python": _OPENCV,
    "pycaret": ("libgomp1",),  # through lightgbm
    "python-magic": ("libmagic1",),
    "pyzbar": ("libzbar0",),
}
"""Debian's packages (names as in Debian 12) by the distribution whose import looks for them."""


def packages(listed: Listing | None, python: str) -> Found[tuple[str, ...]] | None:
    """The Debian packages that the dependencies want, sorted; they stand where the first that wants one does."""
    image = target_environment(python)
    found = listed.dependencies if listed else ()
    wanting = [each for each in found if each.name in _NEEDS and applies(each.marker, image)]
    names = tuple(sorted({name for each in wanting for name in _NEEDS[each.name]}))
    return Found(names, wanting[0].source) if wanting else None
