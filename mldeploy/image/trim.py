"""Leave packages' own tests out of an environment. Runs inside the builder stage: standard library only, any Python 3.

    python3 trim.py /venv

A folder named `test` or `tests` goes if it lies inside a package and holds test modules, unless something that stays
imports it: NumPy's and SciPy's own code, for one, imports a helper out of a tests folder.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_NAMES = ("test", "tests")
_FROM = re.compile(rb"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^#\n]*)", re.MULTILINE)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+()([\w.]+)()", re.MULTILINE)
_TESTS = re.compile(r"\btests?\b")


def test_folders(site: Path) -> set[Path]:
    """The outermost folders of tests below a site-packages folder."""
    named = (folder for name in _NAMES for folder in site.glob(f"*/**/{name}"))
    held = {folder for folder in named if any(folder.rglob("test_*.py")) or any(folder.rglob("*_test.py"))}
    return {folder for folder in held if held.isdisjoint(folder.parents)}


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
    """The folders of tests that nothing imports but other tests."""
    gone = test_folders(site)
    fresh = [file for file in site.rglob("*.py") if gone.isdisjoint(file.parents)]
    while fresh:
        wanted = {folder for path in imported(fresh, site) for folder in (path, *path.parents)} & gone
        gone -= wanted
        fresh = [file for folder in wanted for file in folder.rglob("*.py")]
    return gone


def main(environment: str) -> None:
    for site in Path(environment).glob("lib/python*/site-packages"):
        for folder in unneeded(site):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1])
