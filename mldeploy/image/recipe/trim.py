"""Leave out of an environment what nothing runs. Runs inside the builder stage: standard library only, any Python 3.

    python3 trim.py /venv

Packages' own tests go: a folder named `test` or `tests` that lies inside a package and holds test modules, unless
something that stays imports it. NumPy's and SciPy's own code, for one, imports helpers out of such folders; of those
that stay for it, the test modules that nothing imports go. So do Cython's sources, unless Cython is there to read them.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_NAMES = ("test", "tests")
_MODULES = ("test_*.py", "*_test.py")
_FROM = re.compile(rb"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^#\n]*)", re.MULTILINE)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+()([\w.]+)()", re.MULTILINE)
_TESTS = re.compile(r"\btests?\b")
_CYTHON = re.compile(r"\.(pyx|pxd|pxi)(\.tp|\.in)?$")


def test_folders(site: Path) -> set[Path]:
    """The outermost folders of tests below a site-packages folder."""
    named = (folder for name in _NAMES for folder in site.glob(f"*/**/{name}"))
    held = {folder for folder in named if any(test_modules(folder))}
    return {folder for folder in held if held.isdisjoint(folder.parents)}


def test_modules(folder: Path) -> Iterator[Path]:
    """The test modules in a folder, at any depth."""
    for pattern in _MODULES:
        yield from folder.rglob(pattern)


def imported(files: Iterable[Path], site: Path) -> Iterator[Path]:
    """The paths that the import statements of these files may mean, as far as they speak of tests."""
    for file in files:
        text = file.read_bytes()
        for match in (*_FROM.finditer(text), *_IMPORT.finditer(text)) if b"test" in text else ():
            dots, module, names = (part.decode() for part in match.groups())
            start = file.parents[len(dots) - 1] if dots else site
            package = start.joinpath(*filter(None, module.split(".")))
            yield from (package / name for name in _TESTS.findall(names))
            if _TESTS.search(module):
                yield package


def unneeded(site: Path) -> set[Path]:
    """The folders of tests that nothing imports but other tests, and the modules that nothing imports in the others."""
    gone = test_folders(site)
    kept: set[Path] = set()
    named: set[Path] = set()
    fresh = [file for file in site.rglob("*.py") if gone.isdisjoint(file.parents)]
    while fresh:
        named.update(imported(fresh, site))
        needed = {folder for path in named for folder in (path, *path.parents)} & gone
        gone -= needed
        kept |= needed
        fresh = [file for folder in needed for file in folder.rglob("*.py")]
    # Of a folder that is imported as such, any module may be meant.
    return gone | {module for folder in kept - named for module in unused(folder, named)}


def unused(folder: Path, named: set[Path]) -> set[Path]:
    """The test modules of a folder that are not named, nor mentioned by what stays in it."""
    spare = {module for module in test_modules(folder) if module.with_suffix("") not in named}
    fresh = set(folder.rglob("*.py")) - spare
    while fresh:
        text = b"".join(file.read_bytes() for file in fresh)
        fresh = {module for module in spare if module.stem.encode() in text}
        spare -= fresh
    return spare


def sources(site: Path) -> Iterator[Path]:
    """What Cython has made extension modules of."""
    if not (site / "Cython").exists():
        yield from (file for file in site.rglob("*.p[yx]*") if _CYTHON.search(file.name) and file.is_file())


def main(environment: str) -> None:
    for site in Path(environment).glob("lib/python*/site-packages"):
        for path in (*unneeded(site), *sources(site)):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
