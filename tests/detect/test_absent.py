"""Models that the code names, and the folder does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import detect

APP = (
    "import joblib\nimport os\nfrom flask import Flask\n\nVERSION = os.environ['V']\napp = Flask(__name__)\nmodel = @\n"
)


def absent(folder: Path, loading: str) -> list[str]:
    (folder / "app.py").write_text(APP.replace("@", loading))
    (folder / "requirements.txt").write_text("flask==3.1.3\njoblib==1.5.1\n")
    return [each.what for each in detect(folder).remarks if each.code == "model-absent"]


@pytest.mark.parametrize(
    "loading",
    [
        'joblib.load("model.pkl")',
        'joblib.load(open("artifacts/model.pkl", "rb"))',
        'joblib.load(os.path.join(VERSION, "model.pkl"))',
        'joblib.load(f"{VERSION}/model.pkl")',
        'joblib.load(VERSION + "/model.pkl")',
    ],
)
def test_a_name_that_the_source_says_is_looked_for(tmp_path: Path, loading: str) -> None:
    assert absent(tmp_path, loading) == ["loads model.pkl, which is nowhere in the folder"]
    (tmp_path / "model.pkl").write_bytes(b"")
    assert not absent(tmp_path, loading)


@pytest.mark.parametrize(
    "loading",
    [
        'joblib.load(f"{VERSION}_model.pkl")',
        'joblib.load(VERSION + "_model.pkl")',
        'joblib.load("%s_model.pkl" % VERSION)',
        'joblib.load("{}_model.pkl".format(VERSION))',
        'joblib.load("https://models.example/model.pkl")',
        'joblib.dump({}, "model.pkl")',
    ],
)
def test_of_a_name_that_only_the_running_app_knows_nothing_is_said(tmp_path: Path, loading: str) -> None:
    assert not absent(tmp_path, loading)
