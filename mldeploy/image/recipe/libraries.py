"""Debian packages of system libraries. To add one, add a line."""

from __future__ import annotations

import re

MISSING = r"(?P<library>lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
"""The dynamic linker's message, in Python's ImportError or ctypes' OSError."""

_PACKAGES = {
    "libGL.so": "libgl1",
    "libOpenCL.so": "ocl-icd-libopencl1",
    "libSM.so": "libsm6",
    "libX11.so": "libx11-6",
    "libXext.so": "libxext6",
    "libXrender.so": "libxrender1",
    "libaio.so": "libaio1",
    "libasound.so": "libasound2",
    "libblas.so": "libblas3",
    "libcairo.so": "libcairo2",
    "libcurl.so": "libcurl4",
    "libgdk_pixbuf-2.0.so": "libgdk-pixbuf-2.0-0",
    "libgeos_c.so": "libgeos-c1v5",
    "libgfortran.so": "libgfortran5",
    "libglib-2.0.so": "libglib2.0-0",
    "libgobject-2.0.so": "libglib2.0-0",
    "libgomp.so": "libgomp1",
    "libgthread-2.0.so": "libglib2.0-0",
    "liblapack.so": "liblapack3",
    "libmagic.so": "libmagic1",
    "libmariadb.so": "libmariadb3",
    "libodbc.so": "libodbc2",
    "libopenblas.so": "libopenblas0",
    "libpango-1.0.so": "libpango-1.0-0",
    "libpangocairo-1.0.so": "libpangocairo-1.0-0",
    "libportaudio.so": "libportaudio2",
    "libpq.so": "libpq5",
    "libquadmath.so": "libquadmath0",
    "libsndfile.so": "libsndfile1",
    "libspatialindex_c.so": "libspatialindex6",
    "libstdc++.so": "libstdc++6",
    "libtbb.so": "libtbb12",
    "libusb-1.0.so": "libusb-1.0-0",
    "libxml2.so": "libxml2",
    "libxslt.so": "libxslt1.1",
    "libzbar.so": "libzbar0",
}
"""By name without the version after `.so`. Package names as in Debian 12."""


def find_package(library: str) -> str:
    """ "libgomp1" of "libgomp.so.1"; "" if unknown."""
    return _PACKAGES.get(library.partition(".so")[0] + ".so", "")


def suggest_package(message: str) -> str:
    """Return the remedy for a missing library in a message, or ""."""
    match = re.search(MISSING, message)
    if match is None:
        return ""
    name = find_package(match["library"])
    if not name:
        library = match["library"]
        return (
            f"Name the Debian package that holds {library} in `system_packages` in [build]: `apt-file search` finds it."
        )
    return f'Add it: `system_packages = ["{name}"]` in [build] of mldeploy.toml.'
