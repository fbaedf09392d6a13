"""Packages lose their own tests, and nothing that anything else imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.image.recipe.trim import main
from tests.image.shop import write


def trimmed(folder: Path, files: dict[str, str]) -> set[str]:
    """The modules that are left of an environment's packages."""
    site = folder / "lib" / "python3.11" / "site-packages"
    write(site, files)
    main(str(folder))
    return {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}


def test_tests_go_with_their_data(tmp_path: Path) -> None:
    files = {
        "p/__init__.py": "",
        "p/tests/__init__.py": "",
        "p/tests/test_a.py": "",
        "p/tests/data/a.csv": "",
        "p/q/test/test_b.py": "",
    }
    assert trimmed(tmp_path, files) == {"p/__init__.py"}


def test_a_folder_of_that_name_without_tests_stays(tmp_path: Path) -> None:
    """As django.test, which is for the tests of others."""
    files = {"p/test/__init__.py": "", "p/test/client.py": "", "tests/test_top.py": ""}
    assert trimmed(tmp_path, files) == set(files)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("p/__init__.py", "from p.tests.helper import x"),
        ("p/__init__.py", "from .tests import helper"),
        ("p/__init__.py", "from . import tests"),
        ("p/__init__.py", "from . import (\n    a,\n    tests,\n)"),
        ("p/__init__.py", "import p.tests.helper"),
        ("p/sub/m.py", "from ..tests.helper import x"),
        ("p/sub/m.py", "def late():\n    from p import tests"),
        ("other/m.py", "from p.tests import helper"),
    ],
)
def test_tests_that_something_imports_stay(tmp_path: Path, where: str, line: str) -> None:
    files = {"p/tests/helper.py": "", "p/tests/test_a.py": "", where: line}
    assert {where, "p/tests/helper.py"} <= trimmed(tmp_path, files)


def test_what_only_tests_import_goes_and_what_they_need_that_stay_stays(tmp_path: Path) -> None:
    files = {
        "p/__init__.py": "import p.a.tests.helper",
        "p/a/tests/helper.py": "from p.b.tests import helper",
        "p/a/tests/test_a.py": "",
        "p/b/tests/helper.py": "",
        "p/b/tests/test_b.py": "from p.c.tests import helper",
        "p/c/tests/helper.py": "",
        "p/c/tests/test_c.py": "",
        "p/d/tests/test_d.py": "from p.d.tests import helper",
    }
    gone = {name for name in files if name.startswith("p/d")} | {"p/a/tests/test_a.py"}
    assert trimmed(tmp_path, files) == set(files) - gone


def test_in_a_folder_that_stays_only_the_tests_that_something_imports_do(tmp_path: Path) -> None:
    files = {
        "p/__init__.py": "from p.tests.test_a import x",
        "p/tests/__init__.py": "",
        "p/tests/helper.py": "",
        "p/tests/data.csv": "",
        "p/tests/test_a.py": "from . import test_b",
        "p/tests/test_b.py": "",
        "p/tests/test_c.py": "from .test_a import x",
        "p/tests/sub/d_test.py": "",
    }
    assert trimmed(tmp_path, files) == set(files) - {"p/tests/test_c.py", "p/tests/sub/d_test.py"}


def test_cythons_sources_go_unless_cython_is_there(tmp_path: Path) -> None:
    files = {"p/a.pyx": "", "p/a.pxd": "", "p/b.pyx.tp": "", "p/a.so": "", "p/a.pyi": "", "p/x.pyxis": ""}
    assert trimmed(tmp_path / "without", files) == {"p/a.so", "p/a.pyi", "p/x.pyxis"}
    with_cython = {**files, "Cython/__init__.py": ""}
    assert trimmed(tmp_path / "with", with_cython) == set(with_cython)
