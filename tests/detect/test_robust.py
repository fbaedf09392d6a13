"""Whatever stands in the files of a folder: an answer, and the same one again; never an error that is ours."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.config.model import ConfigFile
from mldeploy.project.detect.dependencies.dependency import conda_to_pep440, is_valid, to_pep440
from mldeploy.project.detect.dependencies.distributions import InstalledDistributions
from mldeploy.project.detect.folder import DetectedFolder, DetectionOptions, detect_folder
from mldeploy.project.detect.starts.command import parse_command
from mldeploy.project.detect.tables import build_tables
from tests.detect import trained
from tests.detect.folders import TODAY, write

NAMES = (
    "app.py", "main.py", "shop/__init__.py", "Procfile", "Dockerfile", "requirements.txt", "pyproject.toml", "uv.lock",
    "poetry.lock", "Pipfile", "Pipfile.lock", "environment.yml", "runtime.txt", ".python-version", "gunicorn.conf.py",
    "model/MLmodel", ".streamlit/config.toml", ".env", "start.sh", "model.onnx", "model.safetensors", "model.pt",
)  # fmt: skip
WORDS = (
    "from flask import Flask\n", "app = Flask(__name__)\n", "app = create_app()\n", "@app.route('/x')\n",
    "def f(request):\n", "    return x\n", "import numpy as np\n", "app.run(", "port=", "host='127.0.0.1'", ")",
    "[", "]", "{", "}", "'", '"', "=", "==1.2", "web: gunicorn ", "-b :$PORT ", "app:app ", "FROM python:3.7\n",
    'CMD ["python", "app.py"]\n', "EXPOSE 80\n", "ENV PORT=80\n", "-r requirements.txt\n", "flask", "numpy",
    "[project]\n", "dependencies", "[[package]]\n", "name = ", "version = ", "- ", ": ", "\n", "\\\n", "  ", "&a",
    "*a", "python-3.8", "3.11", "<4", ">=3", "\u0000", "\u00e9", "\ud7ff",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), max_size=40).map("".join) | st.text(max_size=200)
MODEL = pickle.dumps(trained.regression())


def found_in(files: dict[str, bytes]) -> DetectedFolder:
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "app").mkdir()
        for name, data in files.items():
            write(Path(root) / "app" / name, data)
        return detect_folder(Path(root) / "app", DetectionOptions(environment=InstalledDistributions(()), today=TODAY))


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(st.sampled_from(NAMES), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")), max_size=6)
)
def test_any_texts_are_answered_with_a_valid_configuration(files: dict[str, bytes]) -> None:
    detected = found_in(files)
    ConfigFile.model_validate(build_tables(detected), strict=True)
    assert detected.remarks == found_in(files).remarks


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=300), min_size=1, max_size=6))
def test_any_bytes_are_answered(files: dict[str, bytes]) -> None:
    ConfigFile.model_validate(build_tables(found_in(files)), strict=True)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=6), st.integers(0, len(MODEL)))
def test_a_damaged_model_is_still_looked_at(at: int, noise: bytes, end: int) -> None:
    damaged = (MODEL[:at] + noise + MODEL[at + len(noise) :])[: max(end, 1)]
    detected = found_in({"model.pkl": damaged})
    assert len(detected.models) <= 1


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join) | st.text(max_size=80))
def test_any_line_is_a_command_or_none(text: str) -> None:
    command = parse_command(text)
    assert command is None or command.port is None or 0 < command.port < 65536


@given(st.text(st.sampled_from("=<>!~^*. 0123456789abpyv_,|"), max_size=12))
def test_versions_of_other_tools_become_pep_440_or_nothing(text: str) -> None:
    assert is_valid(conda_to_pep440(text))
    to_pep440(text)
