"""Poetry and Pipenv export in the build what our own reading of their locks names: real locks of a served index."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mldeploy.config.settings import LockTool
from mldeploy.image.recipe.lock_export import export_command, exported_file, install_command
from mldeploy.project.load import load_project
from tests.detect.package_folders import APP, lines
from tests.detect.served_index import publish, repository, served

OWN = "own.txt"
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}

POETRY = """
[tool.poetry]
name = "x"
version = "1"
description = ""
authors = []
package-mode = false
[tool.poetry.dependencies]
python = ">=3.11,<4"
flask = {{ version = "^1.0", extras = ["fast"] }}
only-windows = {{ version = "*", markers = "sys_platform == 'win32'" }}
features = {{ version = "*", source = "own" }}
tools = {{ git = "{address}/tools.git", branch = "main" }}
lib = {{ path = "lib", develop = true }}
[tool.poetry.group.web.dependencies]
server = "*"
[tool.poetry.group.dev.dependencies]
checker = "*"
[[tool.poetry.source]]
name = "usual"
url = "{address}/usual"
priority = "primary"
[[tool.poetry.source]]
name = "own"
url = "{address}/own"
priority = "explicit"
"""
PIPENV = """
[[source]]
name = "usual"
url = "{address}/usual"
verify_ssl = true
[[source]]
name = "own"
url = "{address}/own"
verify_ssl = true
[packages]
flask = {{ version = "*", extras = ["fast"] }}
server = "*"
only-windows = {{ version = "*", markers = "sys_platform == 'win32'" }}
features = {{ version = "*", index = "own" }}
tools = {{ git = "{address}/tools.git", ref = "{commit}" }}
[dev-packages]
checker = "*"
"""


@dataclass(frozen=True)
class LockedFolder:
    """A project whose dependencies come from an index and a repository of this machine. bin: where the tool is."""

    root: Path
    address: str
    commit: str
    environment: dict[str, str]

    def run(self, command: str) -> None:
        """Run a shell command as a build does."""
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def exported(self) -> list[str]:
        """What the tool exports for Linux, with mldeploy's own reading at hand in case that it is missing."""
        (self.root / OWN).write_text("".join(f"{line}\n" for line in lines(self.root)))
        export = load_project(self.root).project.build.lock
        assert export is not None
        self.run(export_command(export, OWN))
        text = (self.root / exported_file(export)).read_text()
        return [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "    --hash"))]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LockedFolder]:
    """A folder with the app, and a server for what it depends on."""
    with served(tmp_path / "site") as address:
        site, root = tmp_path / "site", tmp_path / "app"
        for name in ("below", "only-windows", "server", "checker", "quick", "lib-needs"):
            publish(site / "usual", name, "1.0")
        publish(site / "usual", "flask", "1.2", ("below", "quick ; extra == 'fast'"), extras=("fast",))
        publish(site / "own", "features", "1.4.0", ("below",))
        commit = repository(site)
        (root / "lib" / "lib").mkdir(parents=True)
        (root / "lib" / "lib" / "__init__.py").touch()
        (root / "app.py").write_text(APP)
        (root / "lib" / "pyproject.toml").write_text(
            '[project]\nname = "lib"\nversion = "1"\ndependencies = ["lib-needs"]\n'
        )
        tools = root / ".lock-tools"
        path = os.pathsep.join((str(tools / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
        places = {"UV_TOOL_DIR": str(tools), "UV_TOOL_BIN_DIR": str(tools / "bin"), "HOME": str(tmp_path / "home")}
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        yield LockedFolder(root, address, commit, {**os.environ, **places, "PATH": path, "UV_CACHE_DIR": cache})


def essence(texts: list[str]) -> set[tuple[str, str]]:
    """Each package for Linux, and its version or where it comes from."""
    found = set()
    for text in texts:
        line = text.partition(" --hash")[0].rstrip("\\ ")
        if line.startswith("-"):
            continue
        if line.startswith(("./", "file:")):
            found.add(("lib", "folder"))
            continue
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate(LINUX):
            continue
        url = (requirement.url or "").partition("#")[0]
        where = "folder" if url.startswith("file:") else url
        wheel = where.rpartition("/")[2]
        version = f"=={wheel.split('-')[1]}" if wheel.endswith(".whl") else where or str(requirement.specifier)
        found.add((requirement.name.lower(), version))
    return found


@pytest.mark.parametrize(
    ("tool", "name", "text", "lock"),
    [
        (LockTool.POETRY, "pyproject.toml", POETRY, "poetry lock --no-interaction"),
        (LockTool.PIPENV, "Pipfile", PIPENV, "pipenv lock"),
    ],
)
def test_the_tool_exports_what_we_read(folder: LockedFolder, tool: LockTool, name: str, text: str, lock: str) -> None:
    (folder.root / name).write_text(text.format(address=folder.address, commit=folder.commit))
    folder.run(install_command(tool))
    folder.run(lock)
    exported = folder.exported()
    assert essence(exported) == essence(lines(folder.root))
    names = {each for each, _ in essence(exported)}
    assert {"flask", "below", "quick", "features", "tools", "server"} <= names
    assert not names & {"checker", "only-windows"}
    assert not [line for line in exported if line.startswith("-")], "neither an index nor an editable folder"


def test_without_the_tool_our_own_reading_counts(folder: LockedFolder) -> None:
    (folder.root / "pyproject.toml").write_text(POETRY.format(address=folder.address, commit=folder.commit))
    folder.run(install_command(LockTool.POETRY))
    folder.run("poetry lock --no-interaction")
    cut = {"UV_DEFAULT_INDEX": f"{folder.address}/own", "UV_CACHE_DIR": str(folder.root / "cache"), "UV_NO_CONFIG": "1"}
    apart = LockedFolder(folder.root, folder.address, folder.commit, {**folder.environment, **cut})
    apart.run("rm -r .lock-tools")
    assert apart.exported() == lines(folder.root)
