"""What the source opens, writes and requires, compared with the folder and with what gets into the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import DetectionOptions, detect_folder
from mldeploy.project.detect.tables import build_tables
from tests.detect.folders import write

APP = (
    "import json, os, sqlite3, pickle, logging\nfrom pathlib import Path\nimport pandas as pd\n"
    "from flask import Flask\n\napp = Flask(__name__)\n"
)


def remarks(root: Path, code: str, files: dict[str, str], *, left_out: str = "nothing/") -> list[tuple[str, str, str]]:
    for path, text in files.items():
        write(root / path, text.encode())
    folder = detect_folder(root, DetectionOptions(ships=lambda path: not path.startswith(left_out)))
    return [(each.severity.value, each.what, each.todo) for each in folder.remarks if each.code == code]


@pytest.mark.parametrize(
    "reading",
    [
        "json.load(open('data/rates.json'))",
        "Path('data/rates.json').read_text()",
        "pd.read_json('data/rates.json')",
        "(Path(__file__).resolve().parent / 'data' / 'rates.json').read_text()",
        "open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'rates.json'))",
    ],
)
def test_data_that_stays_out_of_the_image_is_an_error(tmp_path: Path, reading: str) -> None:
    files = {"app.py": f"{APP}RATES = {reading}\n", "data/rates.json": "{}"}
    (remark,) = remarks(tmp_path, "data-ignored", files, left_out="data/")
    assert remark[:2] == ("error", "opens data/rates.json, which .dockerignore keeps out of the image")
    assert not remarks(tmp_path, "data-ignored", {})


@pytest.mark.parametrize(
    ("writing", "path"),
    [
        ("sqlite3.connect('a.db')", "a.db"),
        ("open('log.txt', 'a')", "log.txt"),
        ("Path('out').mkdir()", "out"),
        ("os.makedirs('uploads', exist_ok=True)", "uploads"),
        ("logging.basicConfig(filename='run.log')", "run.log"),
        ("app.config.update(SQLALCHEMY_DATABASE_URI='sqlite:///site.db')", "site.db"),
        ("open(Path(__file__).parent / 'log.txt', 'a')", "log.txt"),
        ("sqlite3.connect(':memory:')", ""),
        ("open('/tmp/x', 'w')", ""),
    ],
)
def test_what_the_app_writes_beside_the_code_is_named_with_read_only(tmp_path: Path, writing: str, path: str) -> None:
    written = remarks(tmp_path, "writes-read-only", {"app.py": f"{APP}{writing}\n"})
    assert [what for _, what, _ in written] == (
        [f"writes {path}, and the container's file system is read-only"] if path else []
    )
    assert all("read_only = false" in todo for _, _, todo in written)


@pytest.mark.parametrize(
    "loading",
    [
        "with open('net.pkl', 'rb') as file:\n    net = pickle.load(file)",
        "from pycaret.regression import *\nnet = load_model('net')",
        "import xgboost\nnet = xgboost.XGBRegressor()\nnet.load_model('net.json')",
    ],
)
def test_a_model_that_is_not_there_is_named_and_dvc_fetches_it(tmp_path: Path, loading: str) -> None:
    name = "net.json" if "json" in loading else "net.pkl"
    ((_, what, todo),) = remarks(tmp_path, "model-absent", {"app.py": f"{APP}{loading}\n"})
    assert what == f"loads {name}, which does not exist in the folder"
    assert "Train the model" in todo or "Add the file" in todo
    ((_, _, todo),) = remarks(tmp_path, "model-absent", {f"{name}.dvc": "outs:\n- path: net\n"})
    assert todo == f"Fetch it: `dvc pull` ({name}.dvc names it)."


def test_an_mlflow_model_without_its_file_is_named(tmp_path: Path) -> None:
    text = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n"
    ((_, what, _),) = remarks(tmp_path, "model-absent", {"app.py": APP, "tree/MLmodel": text})
    assert what == "names model.pkl, which does not exist in tree"


def test_required_variables_are_listed_once(tmp_path: Path) -> None:
    text = (
        "KEY = os.environ['KEY']\nOTHER = os.environ.get('OTHER')\nos.environ['OMP'] = '1'\n"
        "from starlette.config import Config\nfrom pydantic_settings import BaseSettings\nconfig = Config('.env')\n"
        "BUCKET = config('BUCKET')\nMODE = config('MODE', default='x')\n\n\n"
        "class Settings(BaseSettings):\n    model_url: str\n    size: int = 3\n"
    )
    files = {"app.py": APP + text, ".env.example": "KEY=\nPORT=1\nEXTRA=1\n"}
    ((severity, what, _),) = remarks(tmp_path, "variables-required", files)
    assert severity == "warning"
    assert sorted(what.removeprefix("requires environment variables: ").split(", ")) == ["BUCKET", "KEY", "MODEL_URL"]
    ((_, what, _),) = remarks(tmp_path, "variables-listed", {})
    assert what.endswith(": EXTRA")


def test_a_model_of_spacy_is_a_package(tmp_path: Path) -> None:
    files = {
        "app.py": f"{APP}import spacy\nlanguage = spacy.load('en_core_web_sm')\n",
        "requirements.txt": "spacy==3.8.3\n",
    }
    ((_, what, todo),) = remarks(tmp_path, "spacy-model", files)
    assert "en_core_web_sm" in what
    assert "spacy info" in todo
    listed = {"requirements.txt": "spacy==3.8.3\nen-core-web-sm==3.8.0\n"}
    assert not remarks(tmp_path, "spacy-model", listed)


@pytest.mark.parametrize(
    ("name", "package"),
    [("pydub", "ffmpeg"), ("pytesseract", "tesseract-ocr"), ("pdf2image", "poppler-utils"), ("ultralytics", "libgl1")],
)
def test_programs_behind_packages_are_installed(tmp_path: Path, name: str, package: str) -> None:
    write(tmp_path / "app.py", APP.encode())
    write(tmp_path / "requirements.txt", f"flask==3.1.3\n{name}==1.0\n".encode())
    packages = build_tables(detect_folder(tmp_path))["build"]["system_packages"]
    assert isinstance(packages, list)
    assert package in packages
