"""The compiled path and the minimal runtime with four minor versions of scikit-learn, whose private functions move."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mldeploy_model
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.exhaustive

PROGRAM = Path(__file__).with_name("versions_program.py")
PACKAGES = Path(mldeploy_model.__file__).parent.parent
UV = Path(sys.executable).with_name("uv")


@pytest.mark.parametrize("version", ["1.5", "1.6", "1.7", "1.8"])
def test_both_paths_are_bit_identical_with_each_version_of_scikit_learn(version: str, tmp_path: Path) -> None:
    require_registry()
    environment = tmp_path / "environment"
    install(environment, f"scikit-learn=={version}.*")
    done = subprocess.run(
        [environment / "bin" / "python", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(PACKAGES), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    wrong = {name: each for name, each in results.items() if each != {"compiled": "", "stock": [], "minimal": ""}}
    assert (wrong, len(results)) == ({}, 14)


def install(environment: Path, *packages: str) -> None:
    """A virtual environment with these packages, pandas and joblib."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    command: list[str | Path] = [UV, "pip", "install", "--quiet", *packages, "pandas", "joblib"]
    subprocess.run(command, env={**os.environ, "VIRTUAL_ENV": str(environment)}, check=True)
