"""Models that the code names, and the folder does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.folder import detect_folder

APP = (
    "import joblib\nimport os\nfrom flask import Flask\n\nVERSION = os.environ['V']\napp = Flask(__name__)\nmodel = @\n"
)


def absent(folder: Path, loading: str) -> list[str]:
    (folder / "app.py").write_text(APP.replace("@", loading))
    (folder / "requirements.txt").write_text("flask==3.1.3\njoblib==1.5.1\n")
    return [each.what for each in detect_folder(folder).remarks if each.code == "model-absent"]


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
    assert absent(tmp_path, loading) == ["loads model.pkl, which does not exist in the folder"]
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


@pytest.mark.parametrize(
    ("imported", "loading", "there"),
    [
        ("import xgboost as xgb", 'xgb.Booster(model_file="m/b.json")', "m/b.json"),
        ("import lightgbm as lgb", 'lgb.Booster(model_file="m/b.txt")', "m/b.txt"),
        ("import tensorflow as tf", 'tf.keras.models.load_model("saved/net")', "saved/net/saved_model.pb"),
        ("from keras.models import load_model", 'load_model("net")', "net/saved_model.pb"),
        ("from transformers import AutoModel", 'AutoModel.from_pretrained("./net")', "net/config.json"),
        ("from ultralytics import YOLO", 'YOLO("runs/best.pt")', "runs/best.pt"),
    ],
)
def test_model_of_a_library_with_its_own_form_is_looked_for(
    tmp_path: Path, imported: str, loading: str, there: str
) -> None:
    said = absent(tmp_path, f"None\n{imported}\nnet = {loading}")
    assert len(said) == 1
    assert said[0].endswith(", which does not exist in the folder")
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_bytes(b"")
    assert not absent(tmp_path, f"None\n{imported}\nnet = {loading}")


@pytest.mark.parametrize(
    ("imported", "loading"),
    [
        ("from transformers import AutoModel", 'AutoModel.from_pretrained("bert-base-uncased")'),
        ("from transformers import AutoModel", 'AutoModel.from_pretrained("org/name")'),
        ("from ultralytics import YOLO", 'YOLO("yolov8n.pt")'),
        ("import xgboost as xgb", 'xgb.Booster({"objective": "reg:linear"})'),
        ("import mlflow", 'mlflow.sklearn.load_model("models:/price/1")'),
    ],
)
def test_model_that_a_hub_has_is_not_missed(tmp_path: Path, imported: str, loading: str) -> None:
    assert not absent(tmp_path, f"None\n{imported}\nnet = {loading}")
