"""A project that is a package is one in its image: metadata, commands and data, and an edit that costs no more."""

from __future__ import annotations

import pytest

from mldeploy.image.types import Image
from mldeploy.project.load import load_project
from tests.image.shop import Shop, write

pytestmark = pytest.mark.engine

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "rate-shop"
dynamic = ["version"]
dependencies = ["nothing-that-exists-anywhere"]
[project.scripts]
rates = "rate_shop.app:main"
[tool.setuptools.dynamic]
version = { attr = "rate_shop.__version__" }
""",
    "src/rate_shop/__init__.py": '__version__ = "1.2"\n',
    "src/rate_shop/rates.json": "[2]\n",
    "src/rate_shop/app.py": """\
from importlib.metadata import version
from importlib.resources import files


def main():
    print(version("rate-shop"), files("rate_shop").joinpath("rates.json").read_text().strip())
""",
}


def _layers(shop: Shop, image: Image) -> list[str]:
    layers: list[str] = shop.inspected(image)["RootFS"]["Layers"]
    return layers


def test_the_project_is_installed_and_an_edit_changes_the_code_alone(shop: Shop) -> None:
    write(shop.folder, FILES)
    first = shop.build(shop.project(package=True)).out
    assert "package" in [each.instruction for each in first.layers]
    # Its dependencies are those of the list: what pyproject.toml names is not fetched a second time.
    assert shop.run(first, "rates") == "1.2 [2]"
    app = shop.folder / "src/rate_shop/app.py"
    app.write_text(app.read_text().replace("print(", "print('edited', "))
    second = shop.build(shop.project(package=True)).out
    assert shop.run(second, "rates") == "edited 1.2 [2]"
    assert _layers(shop, second)[:-1] == _layers(shop, first)[:-1]


def test_what_a_setup_script_computes_is_installed(shop: Shop) -> None:
    (shop.folder / "requirements.txt").unlink()
    needs = "from setuptools import setup\n\nNEEDS = open('needs').read().split()\n"
    script = f"{needs}setup(name='shop', version='1', install_requires=NEEDS)\n"
    write(shop.folder, {"setup.py": script, "needs": "flask==3.1.2\n"})
    given = load_project(shop.folder).project
    image = shop.build(shop.project(requirements="setup.py", lock=given.build.lock, requirements_text="")).out
    code = "import importlib.metadata as found; print(found.version('flask'))"
    assert shop.run(image, "python", "-c", code) == "3.1.2"
