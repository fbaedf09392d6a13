"""What a user gets who installs the package."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import mldeploy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution of what is committed or about to be, and the wheel made from it."""
    folder = tmp_path_factory.mktemp("build")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split("\0")
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", folder], check=True, capture_output=True)
    return folder / "dist"


def test_the_wheel_holds_the_command_the_recipe_and_the_licence(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = f"mldeploy-{mldeploy.__version__}.dist-info"
        entry_points = ConfigParser()
        entry_points.read_string(archive.read(f"{metadata}/entry_points.txt").decode())
        recipe = archive.read("mldeploy/image/Dockerfile.template")
    assert entry_points["console_scripts"]["mldeploy"] == "mldeploy.cli.start:main"
    assert entry_points["mldeploy.providers"]["local"] == "mldeploy.providers.local:provider"
    assert recipe == (ROOT / "Dockerfile.template").read_bytes()
    assert {"mldeploy/py.typed", "mldeploy/core/step.py", f"{metadata}/licenses/LICENSE"} <= set(names)
    assert {"mldeploy_model/py.typed", "mldeploy_model/schema.py", "mldeploy_model/server/page.js"} <= set(names)
    folders = {name.split("/")[0] for name in names}
    assert folders == {"mldeploy", "mldeploy_model", "mldeploy_proxy", metadata}, "tests, scripts and example stay out"


def test_the_source_distribution_holds_what_building_and_testing_need(distributions: Path) -> None:
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
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
