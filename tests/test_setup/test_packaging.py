"""What a user gets who installs the package."""

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import mldeploy
from scripts.package import Distributions, copy_source, metadata_problems, missing_and_stray

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_source(tmp_path_factory.mktemp("package") / "source")


@pytest.fixture(scope="module")
def distributions(source: Path) -> Distributions:
    """The source distribution of what is committed or about to be, and the wheel made from it."""
    return Distributions.build(source, source.with_name("dist"))


def test_the_wheel_holds_the_command_the_recipe_and_the_licence(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as archive:
        names = archive.namelist()
        metadata = f"mldeploy-{mldeploy.__version__}.dist-info"
        entry_points = ConfigParser()
        entry_points.read_string(archive.read(f"{metadata}/entry_points.txt").decode())
        recipe = archive.read("mldeploy/image/Dockerfile.template")
    assert entry_points["console_scripts"]["mldeploy"] == "mldeploy.cli.start:main"
    assert entry_points["mldeploy.providers"]["local"] == "mldeploy.providers.local:provider"
    assert recipe == (ROOT / "Dockerfile.template").read_bytes()
    assert f"{metadata}/licenses/LICENSE" in names
    assert {f"{package}/py.typed" for package in ("mldeploy", "mldeploy_model", "mldeploy_proxy")} <= set(names)
    folders = {name.split("/")[0] for name in names}
    assert folders == {"mldeploy", "mldeploy_model", "mldeploy_proxy", metadata}, "tests, scripts and example stay out"


def test_the_wheel_holds_every_file_of_its_packages_and_no_other(distributions: Distributions, source: Path) -> None:
    assert missing_and_stray(distributions.wheel, source) == []


def test_a_file_that_the_wheel_lacks_or_should_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.hatch.build.targets.wheel]\npackages = ["shop"]\n')
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "prices.csv").touch()
    with zipfile.ZipFile(tmp_path / "shop-1-py3-none-any.whl", "w") as archive:
        archive.writestr("tests/test_shop.py", "")
        archive.writestr("shop-1.dist-info/METADATA", "")
    assert missing_and_stray(tmp_path / "shop-1-py3-none-any.whl", tmp_path) == [
        "shop-1-py3-none-any.whl: lacks shop/prices.csv",
        "shop-1-py3-none-any.whl: has tests/test_shop.py, which is in no package",
    ]


def test_an_index_would_take_the_metadata(distributions: Distributions) -> None:
    assert metadata_problems(distributions.wheel) == []


def test_the_source_distribution_holds_what_building_and_testing_need(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "Dockerfile.template",
        "LICENSE",
        "Makefile",
        "README.md",
        "example_app/app.py",
        "requirements/dev.txt",
        "scripts/venv.sh",
        "tests/test_setup/test_packaging.py",
    }
    assert wanted <= names
    assert not {name for name in names if name.startswith((".venv", ".ci")) or name.endswith(".joblib")}


@pytest.mark.exhaustive
def test_it_can_be_installed_and_used_outside_the_checkout(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.package", "--out", str(tmp_path / "dist")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (sbom,) = (tmp_path / "dist").glob("*.cdx.json")
    document = json.loads(sbom.read_text())
    names = {each["name"].lower() for each in document["components"]}
    assert document["metadata"]["component"]["purl"] == f"pkg:pypi/mldeploy@{mldeploy.__version__}"
    assert {"python", "typer", "pydantic", "docker"} <= names
    assert not {"mldeploy", "boto3", "cyclonedx-python-lib", "pytest"} & names


@pytest.mark.exhaustive
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_each_extra_can_be_installed_alone(extra: str) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--extra", extra, "pyproject.toml"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
