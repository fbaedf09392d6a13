"""Our reading of a uv.lock agrees with uv's own: a real lock, over indexes and a repository that the test serves."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import Environment
from packaging.pylock import Pylock
from packaging.requirements import Requirement

from mldeploy.project.detect.dependencies.dependency import target_environment
from mldeploy.project.detect.dependencies.listing import read_list
from mldeploy.project.detect.tree import scan_folder
from tests.detect.package_folders import APP, lines
from tests.detect.served_index import publish, repository, served

UV = Path(sys.executable).parent / "uv"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    root = tmp_path / "site"
    with served(root) as address:
        yield root, address


def uv(folder: Path, *arguments: str) -> str:
    """What uv prints, which knows nothing but this folder's own settings."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    environment = keep | {"UV_CACHE_DIR": str(folder.parent / "cache"), "UV_PYTHON_DOWNLOADS": "never"}
    ran = subprocess.run(
        [str(UV), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def reading(texts: list[str]) -> dict[str, str]:
    """What each package is taken as: its version, its repository and commit, or its folder."""
    sources: dict[str, str] = {}
    for text in texts:
        line = text.partition(" --hash")[0].strip()
        if line.startswith("./"):
            sources[line] = "folder"
        elif line and not line.startswith(("--", "#")):
            requirement = Requirement(line)
            url = requirement.url or ""
            wheel = url.partition("#")[0].rpartition("/")[2]
            sources[requirement.name] = (
                f"=={wheel.split('-')[1]}" if wheel.endswith(".whl") else url or str(requirement.specifier)
            )
    return sources


def test_every_source_is_read_as_uv_exports_it(tmp_path: Path, site: tuple[Path, str]) -> None:
    root, address = site
    for name in ("flask", "below", "lib-needs", "only-windows"):
        publish(root / "usual", name, "1.0", ("below",) if name == "flask" else ())
    publish(root / "own", "features", "1.4.0", ("below",))
    commit = repository(root)
    folder = tmp_path / "app"
    (folder / "lib").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "lib" / "pyproject.toml").write_text(
        '[project]\nname = "lib"\nversion = "1"\ndependencies = ["lib-needs"]\n'
    )
    (folder / "pyproject.toml").write_text(f"""
[project]
name = "x"
version = "1"
requires-python = ">=3.11"
dependencies = ["flask", "features", "tools", "lib", "only-windows ; sys_platform == 'win32'"]
[dependency-groups]
dev = ["only-windows"]
[[tool.uv.index]]
name = "usual"
url = "{address}/usual"
default = true
[[tool.uv.index]]
name = "own"
url = "{address}/own"
explicit = true
[tool.uv.sources]
features = {{ index = "own" }}
tools = {{ git = "{address}/tools.git", branch = "main" }}
lib = {{ path = "lib" }}
""")
    uv(folder, "lock", "-q")
    exported = uv(folder, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "-q")
    of_uv = reading([line for line in exported.splitlines() if "win32" not in line])
    ours = lines(folder)
    assert reading(ours) == of_uv
    assert of_uv["tools"] == f"git+{address}/tools.git@{commit}"
    assert any(line.startswith(f"features @ {address}/own/features/") and "#sha256=" in line for line in ours)
    options = ("--frozen", "--no-dev", "--no-emit-project", "--format=pylock.toml", "-q")
    (folder / "pylock.toml").write_text(uv(folder, "export", *options))
    lock = Pylock.from_dict(tomllib.loads((folder / "pylock.toml").read_text()))
    for python, machine in (("3.11", "x86_64"), ("3.13", "aarch64")):
        environment = {**target_environment(python), "platform_machine": machine}
        selected = {package.name for package, _ in lock.select(environment=cast("Environment", environment))}
        listed = read_list(scan_folder(folder), "pylock.toml", environment)
        assert listed is not None
        assert not listed.remarks
        assert {each.name for each in listed.dependencies} == selected
        assert "only-windows" not in selected
