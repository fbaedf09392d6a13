"""A folder that is a package: what is recognized as one, and what its build backend gets to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.project.completion import CompletedConfig
from mldeploy.project.detect.dependencies.own_package import find_package, list_package_files
from mldeploy.project.detect.folder import detect_folder
from mldeploy.project.detect.tree import scan_folder
from mldeploy.project.load import load_project
from tests.image.shop import write

UV = Path(sys.executable).parent / "uv"
BACKENDS = {
    "setuptools": ("setuptools>=77", "setuptools.build_meta"),
    "hatchling": ("hatchling", "hatchling.build"),
    "flit": ("flit_core>=3.2", "flit_core.buildapi"),
    "poetry": ("poetry-core", "poetry.core.masonry.api"),
    "pdm": ("pdm-backend", "pdm.backend"),
    "uv": ("uv_build", "uv_build"),
}
APP = "from flask import Flask\nfrom my_shop import rates\n\napp = Flask(__name__)\ndef main():\n    pass\n"
CODE = {"__init__.py": '"""A shop."""\n\n__version__ = "1.2"\n', "app.py": APP, "rates.py": "RATE = 2\n"}
SRC = {f"src/my_shop/{name}": text for name, text in CODE.items()}
FLAT = {f"my_shop/{name}": text for name, text in CODE.items()}
OTHERS = {"data/rows.csv": "a\n", "scripts/train.py": "", "notebooks/look.py": "", "README.md": "A shop.\n"}


def declare(backend: str, head: str = 'version = "1.2"', more: str = "") -> str:
    requires, name = BACKENDS[backend]
    return (
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{name}"\n'
        f'[project]\nname = "my-shop"\n{head}\ndependencies = ["flask"]\n'
        f'[project.scripts]\nmy-shop = "my_shop.app:main"\n{more}'
    )


def test_a_package_in_the_src_layout_starts_in_the_folder_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, {**SRC, **OTHERS, "pyproject.toml": declare("setuptools")})
    folder = detect_folder(tmp_path)
    assert folder.package is not None
    assert folder.entry is not None
    assert (str(folder.entry.value), folder.entry.value.start_in) == ("my_shop.app:app", "")
    project = load_project(tmp_path).project
    assert (project.build.package, project.app.entry, project.app.chdir) == (True, "my_shop.app:app", "")


def test_a_command_may_name_a_module_of_the_package(tmp_path: Path) -> None:
    write(tmp_path, {**SRC, "pyproject.toml": declare("uv"), "Procfile": "web: gunicorn my_shop.app:app\n"})
    folder = detect_folder(tmp_path)
    assert folder.entry is not None
    assert str(folder.entry.value) == "my_shop.app:app"
    assert "entry-missing" not in [each.code for each in folder.remarks]


def test_a_configured_project_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, {**SRC, "pyproject.toml": declare("uv"), "mldeploy.toml": '[app]\nentry = "my_shop.app:app"\n'})
    completion = CompletedConfig(tmp_path, ())
    assert not completion.project().build.package


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({**SRC, "pyproject.toml": '[project]\nname = "my-shop"\nversion = "1"\n', "uv.lock": "version = 1\n"}, ""),
        ({**FLAT, "pyproject.toml": '[project]\nname = "my-shop"\nversion = "1"\n'}, ""),
        ({"app.py": APP, "pyproject.toml": declare("setuptools")}, ""),
        ({"src/app.py": APP, "pyproject.toml": declare("setuptools")}, ""),
        ({**SRC, "pyproject.toml": declare("uv", more="[tool.uv]\npackage = false\n")}, ""),
        ({**SRC, "pyproject.toml": declare("poetry", more="[tool.poetry]\npackage-mode = false\n")}, ""),
        ({**SRC, "pyproject.toml": declare("hatchling").replace('"hatchling"', '"hatchling", "hatch-vcs"', 1)}, "Git"),
        ({**SRC, "pyproject.toml": declare("setuptools").replace('>=77"', '", "Cython"', 1)}, "compiled"),
        ({**SRC, "pyproject.toml": declare("setuptools"), "setup.py": "setup(ext_modules=[Extension()])"}, "compiled"),
    ],
)
def test_what_is_no_package_runs_from_its_folder_as_before(tmp_path: Path, files: dict[str, str], why: str) -> None:
    write(tmp_path, files)
    package, remarks = find_package(scan_folder(tmp_path))
    assert package is None
    assert why in "".join(each.what for each in remarks)
    assert bool(remarks) == bool(why)


CASES = {
    **{f"{name}, src": {**SRC, "pyproject.toml": declare(name)} for name in BACKENDS},
    **{
        f"{name}, flat": {**FLAT, "pyproject.toml": declare(name, more=more)}
        for name in BACKENDS
        for more in ('[tool.uv.build-backend]\nmodule-root = ""\n' if name == "uv" else "",)
    },
    "no backend, src": {
        **SRC,
        "pyproject.toml": declare("setuptools").partition("\n[project]")[2].join(["[project]", ""]),
    },
    "a version in a module below": {
        **SRC,
        "src/my_shop/core/__init__.py": "",
        "src/my_shop/core/v.py": 'VERSION = "1.2"\n',
        "pyproject.toml": declare(
            "setuptools",
            'dynamic = ["version"]',
            '[tool.setuptools.dynamic]\nversion = {attr = "my_shop.core.v.VERSION"}\n',
        ),
    },
    "a version in a file": {
        **SRC,
        "VERSION": "1.2\n",
        "pyproject.toml": declare(
            "setuptools", 'dynamic = ["version"]', '[tool.setuptools.dynamic]\nversion = {file = "VERSION"}\n'
        ),
    },
    "a version of hatch": {
        **SRC,
        "src/my_shop/__about__.py": '__version__ = "1.2"\n',
        "pyproject.toml": declare(
            "hatchling", 'dynamic = ["version"]', '[tool.hatch.version]\npath = "src/my_shop/__about__.py"\n'
        ),
    },
    "a setup.py that reads a module": {
        **SRC,
        "src/my_shop/core/v.py": 'VERSION = "1.2"\n',
        "setup.py": "from setuptools import setup\n\n"
        "setup(version=open('src/my_shop/core/v.py').read().split('\"')[1])\n",
        "pyproject.toml": declare("setuptools", 'dynamic = ["version"]'),
    },
    "two packages that are named": {
        **FLAT,
        "common/__init__.py": "",
        "pyproject.toml": declare(
            "hatchling", more='[tool.hatch.build.targets.wheel]\npackages = ["my_shop", "common"]\n'
        ),
    },
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", CASES)
def test_these_files_are_all_that_a_backend_reads(name: str, tmp_path: Path) -> None:
    folder, reduced, environment = tmp_path / "folder", tmp_path / "reduced", tmp_path / "environment"
    write(folder, {**CASES[name], **OTHERS})
    files = list_package_files(scan_folder(folder))
    assert not [each for each in files if each.endswith("rates.py")]
    write(reduced, {path: (folder / path).read_text() for path in files})
    program = str(environment / "bin/python")
    for command in (
        ("venv", "--quiet", "--python", sys.executable, str(environment)),
        ("pip", "install", "--quiet", "--no-deps", "--python", program, "--editable", str(reduced)),
    ):
        subprocess.run([str(UV), *command], check=True)
    write(reduced, {"made/it": "the folder of the app, where the code is\n", **CASES[name]})
    code = "import importlib.metadata, my_shop.rates; print(importlib.metadata.version('my-shop'), my_shop.rates.RATE)"
    ran = subprocess.run([program, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["1.2", "2"]
    assert (environment / "bin/my-shop").exists()
