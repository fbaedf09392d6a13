"""A model that cannot be served has one clear answer: the file, the library, the remedy, in JSON."""

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest

from mldeploy_model.formats import describe_model, load_predictor
from mldeploy_model.predictor import ModelLoadError
from tests.model_server.serving import ROOT, describe


def refusal(path: Path, sample: Path | None = None) -> ModelLoadError:
    with pytest.raises(ModelLoadError) as raised:
        describe_model(path, sample)
    return raised.value


def write_archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name.replace('__', '.')}", content)
    return path


def test_a_bare_state_dict_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    content = pickle.dumps(OrderedDict([("layer.weight", 1), ("layer.bias", 2)]), protocol=2)
    error = refusal(write_archive(tmp_path / "model.pt", data__pkl=content, version=b"3"))
    assert error.what == (
        "model.pt is a state dict (2 tensors, such as layer.weight): the weights are there, the network that they "
        "belong to is missing"
    )
    assert "torch.jit.script(model).save(path)" in error.remedy


def test_torchscript_without_pytorch_names_what_to_add(tmp_path: Path) -> None:
    error = refusal(write_archive(tmp_path / "model.pt", constants__pkl=b"", data__pkl=b""))
    assert error.what == "model.pt needs the module torch, which is not installed"
    assert error.remedy.startswith("Add torch to the requirements")


FILES: dict[str, tuple[bytes, str]] = {
    "empty.joblib": (b"", "empty.joblib is empty"),
    "text.joblib": (b"hello", "text.joblib is no complete pickle"),
    "model.bin": (b"hello", "model.bin has no format that is served"),
    "pointer.joblib": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "cut.json": (b'{"learner": {', "cut.json is not complete JSON"),
    "other.json": (b"{}", "other.json is JSON, but no XGBoost model"),
    "cut.keras": (b"PK\x03\x04abc", "cut.keras is cut off"),
    "cut.cbm": (b"CBM1abc", "cut.cbm does not load with catboost"),
    "cut.onnx": (b"\x08\x08abc", "cut.onnx does not load with onnxruntime"),
    "cut.ubj": (b"{Labc", "cut.ubj does not load with xgboost"),
    "cut.txt": (b"tree\nversion=v4\n", "cut.txt does not load with lightgbm"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_complete_model_says_so(name: str, tmp_path: Path) -> None:
    content, what = FILES[name]
    (tmp_path / name).write_bytes(content)
    error = refusal(tmp_path / name)
    assert what in error.what
    assert error.remedy


def test_a_missing_file_and_folders_without_a_model_say_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "model.joblib").what == "model.joblib does not exist"
    (tmp_path / "folder").mkdir()
    assert "without MLmodel or config.json" in refusal(tmp_path / "folder").what
    (tmp_path / "folder" / "saved_model.pb").touch()
    assert "TensorFlow SavedModel" in refusal(tmp_path / "folder").what


def test_a_hugging_face_folder_lacks_its_weights_or_has_another_task(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"architectures": ["BertForMaskedLM"]}))
    assert "BertForMaskedLM" in refusal(tmp_path).what
    config.write_text(json.dumps({"architectures": ["BertForSequenceClassification"]}))
    assert "has no weights" in refusal(tmp_path).what
    (tmp_path / "model.safetensors").touch()
    assert "has no tokenizer" in refusal(tmp_path).what
    (tmp_path / "vocab.txt").touch()
    schema = describe(tmp_path.parent, tmp_path.name)
    assert (schema.columns[0].name, schema.columns[0].type, schema.classes) == ("text", "text", ("LABEL_0", "LABEL_1"))
    with pytest.raises(ModelLoadError, match="needs the module transformers, which is not installed"):
        load_predictor(schema, tmp_path.parent)


@pytest.mark.exhaustive
def test_a_keras_model_with_a_custom_layer_says_how_to_save_it(tmp_path: Path) -> None:
    program = (
        "import keras\nclass Double(keras.layers.Layer):\n    def call(self, x): return x * 2\n"
        "model = keras.Sequential([keras.Input((2,)), Double()])\nmodel.save('model.keras')\n"
    )
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "mldeploy_model.describe", "model.keras"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1
    assert "custom layer or function" in error["what"]
    assert "Double" in error["what"]
    assert "register_keras_serializable" in error["remedy"]


def test_a_class_from_a_notebook_says_to_move_it(tmp_path: Path) -> None:
    program = "import joblib\nclass Model:\n    def predict(self, x): return x\njoblib.dump(Model(), 'model.joblib')\n"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "mldeploy_model.describe", "model.joblib"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    error = json.loads(done.stdout)["error"]
    assert "defined in a notebook or script" in error["what"]
    assert "Move it into a module" in error["remedy"]


SAMPLES = {
    "no column": ("age,smoker,region\n40,no,west\n", "has no column 'bmi', which the model takes"),
    "no row": ("age,bmi,smoker,region\n", "has no header with a row below it"),
    "nothing": ("", "has no header with a row below it"),
    "short line": ("age,bmi,smoker,region\n40\n", "line 2 of the sample rows.csv has 1 values, the header 4"),
    "open quote": ('age,bmi\n"4\n', "cannot be read"),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_a_sample_that_does_not_fit_says_where(case: str, models: Path, tmp_path: Path) -> None:
    text, what = SAMPLES[case]
    (tmp_path / "rows.csv").write_text(text)
    assert what in refusal(models / "charges.joblib", tmp_path / "rows.csv").what


def test_what_a_model_prints_while_it_loads_does_not_mix_with_the_description(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "print('loading')\nclass Loud:\n    feature_names_in_ = ['a']\n    def predict(self, x): return x\n"
    )
    made = "import joblib, loud; joblib.dump(loud.Loud(), 'model.joblib')"
    subprocess.run([sys.executable, "-c", made], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "mldeploy_model.describe", "model.joblib"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["columns"][0]["name"] == "a"
    assert "loading" in done.stderr
