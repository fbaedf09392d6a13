"""From nothing to an environment that runs everything, and what is said where that cannot be."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a machine without any package index sets, as far as pip is concerned.
NOWHERE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, as far as the environment depends on it."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "mldeploy", folder / "mldeploy")
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "LICENSE", "README.md", "Dockerfile.template"):
        shutil.copy(ROOT / name, folder)
    return folder


def make_venv(clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [clone / "scripts" / "venv.sh"]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with bash, dirname and these scripts alone."""
    folder.mkdir()
    for name in ("bash", "dirname", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_a_python_that_is_too_old_is_named_with_the_one_that_is_needed(clone: Path, tmp_path: Path) -> None:
    old = 'test "$1" = --version && echo Python 3.9.2 || exit 1'
    ended = make_venv(clone, PATH=programs(tmp_path / "bin", python3=old))
    assert ended.returncode == 1
    assert "3.11" in ended.stderr
    assert "Python 3.9.2" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_machine_without_any_python_is_told_so(clone: Path, tmp_path: Path) -> None:
    ended = make_venv(clone, PATH=programs(tmp_path / "bin"))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "missing" in ended.stderr


def test_a_newer_python_under_its_own_name_is_found(clone: Path, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", python3="exit 1", **{"python3.13": 'test "$1" = -c || echo "called with $*"'})
    ended = make_venv(clone, PATH=path)
    assert (ended.returncode, ended.stdout) == (0, "called with -m scripts.venv\n")


@pytest.mark.exhaustive
def test_packages_out_of_reach_are_reported_and_tried_again_the_next_time(clone: Path) -> None:
    for _ in range(2):
        ended = make_venv(clone, **NOWHERE)
        assert ended.returncode == 1
        assert "pip could not install the pinned packages from requirements/dev.txt" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.exhaustive
def test_a_fresh_clone_gets_everything_once_even_when_two_ask_for_it_and_then_takes_a_moment(clone: Path) -> None:
    both = [subprocess.Popen([clone / "scripts/venv.sh"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("Installing the pinned packages") == 1
    version = subprocess.run([clone / ".venv/bin/mldeploy", "--version"], check=True, capture_output=True, text=True)
    assert "0.1.0" in version.stdout
    assert make_venv(clone).stderr == "", "it says so whenever it installs something"


@pytest.mark.exhaustive
def test_a_clone_that_has_moved_makes_its_environment_anew(clone: Path) -> None:
    make_venv(clone, **NOWHERE)
    assert "Making .venv" not in make_venv(clone, **NOWHERE).stderr
    moved = clone.rename(clone.with_name("moved"))
    assert "Making .venv" in make_venv(moved, **NOWHERE).stderr, "its programs named the place where it was"
