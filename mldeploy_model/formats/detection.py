"""Which format a model has, by what is in its file: the name alone is a hint where the content says nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from mldeploy_model.predictor import ModelLoadError

KNOWN = (
    "scikit-learn (pickle, joblib, skops), XGBoost (json, ubj), LightGBM (txt), CatBoost (cbm), ONNX, Keras (.keras), "
    "TorchScript, torch.export (.pt2), an MLflow model folder, a Hugging Face model folder"
)

_HEAD = 64
_PREFIXES = {
    b"CBM1": "catboost",
    b"\x89HDF\r\n\x1a\n": "keras",
    b"tree\n": "lightgbm",
    b"{L": "xgboost",
    b"\x80": "sklearn",
    **dict.fromkeys((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"x\x01", b"x\x9c", b"x\xda", b"\x04\x22\x4d\x18"), "sklearn"),
}
_SUFFIXES = {
    ".onnx": "onnx",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".joblib": "sklearn",
    ".sav": "sklearn",
}


def detect_format(path: Path) -> str:
    """The format's name. Raises ModelLoadError for what is no model, or one that cannot be served."""
    if not path.exists():
        raise ModelLoadError(f"{path.name} does not exist", "Correct the path of the model")
    if path.is_dir():
        return _detect_folder(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise ModelLoadError(f"{path.name} is empty", "Save the model again")
    return _detect_content(path, head)


def _detect_folder(path: Path) -> str:
    if (path / "MLmodel").is_file():
        return "mlflow"
    if (path / "saved_model.pb").is_file():
        what = f"{path.name} is a TensorFlow SavedModel, which is not served"
        raise ModelLoadError(what, 'Save the model as one file instead: model.save("model.keras")')
    if (path / "config.json").is_file():
        return "huggingface"
    raise ModelLoadError(f"{path.name} is a folder without MLmodel or config.json", f"Served are: {KNOWN}")


def _detect_content(path: Path, head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        raise ModelLoadError(f"{path.name} is a Git LFS pointer, not the model", "Run `git lfs pull`")
    if head.startswith(b"PK\x03\x04"):
        return _detect_archive(path)
    for prefix, name in _PREFIXES.items():
        if head.startswith(prefix):
            return name
    if head.lstrip()[:1] == b"{":
        return _detect_json(path)
    if path.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[path.suffix.lower()]
    raise ModelLoadError(f"{path.name} has no format that is served", f"Served are: {KNOWN}")


def _detect_json(path: Path) -> str:
    try:
        document: object = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelLoadError(f"{path.name} is not complete JSON: {error}", "Save the model again") from error
    if isinstance(document, dict) and "learner" in document:
        return "xgboost"
    raise ModelLoadError(f"{path.name} is JSON, but no XGBoost model", f"Served are: {KNOWN}")


def _detect_archive(path: Path) -> str:
    """A zip file: the names in it tell the formats apart."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] or name for name in archive.namelist()] + archive.namelist()
    except zipfile.BadZipFile as error:
        raise ModelLoadError(f"{path.name} is cut off: {error}", "Copy or save the model again") from error
    if "constants.pkl" in names:
        return "torchscript"
    if "archive_format" in names or "serialized_exported_program.json" in names or "models/model.json" in names:
        return "torch-export"
    if "data.pkl" in names:
        return "torch-pickle"
    if "schema.json" in names:
        return "skops"
    if "config.json" in names and "metadata.json" in names:
        return "keras"
    raise ModelLoadError(f"{path.name} is a zip file without a model", f"Served are: {KNOWN}")
