"""A model file that cannot be used stops the app as it starts, and says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import sklearn

APP = Path(__file__).parents[1]


def start(model: Path) -> str:
    """Import the app as a server does, and return what a failing import says last."""
    program = [sys.executable, "-c", "import app"]
    environment = {**os.environ, "MODEL_PATH": str(model)}
    ended = subprocess.run(program, cwd=APP, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr.splitlines()[-1]


def test_a_missing_model_says_how_to_make_it(tmp_path: Path) -> None:
    said = start(tmp_path / "model.joblib")
    assert f"{tmp_path / 'model.joblib'} does not exist" in said
    assert "python train.py" in said


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"not a pickle")
    assert "model.joblib does not load" in start(tmp_path / "model.joblib")


def test_a_model_of_another_library_version_is_refused(trained: Path, tmp_path: Path) -> None:
    written = (trained / "model.joblib").read_bytes()
    older = written.replace(sklearn.__version__.encode(), b"0" * len(sklearn.__version__))
    assert older != written
    (tmp_path / "model.joblib").write_bytes(older)
    said = start(tmp_path / "model.joblib")
    assert "InconsistentVersionWarning" in said
    assert "requirements.txt" in said
