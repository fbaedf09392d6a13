"""How model files are called: what must be known before one is opened."""

from __future__ import annotations

from typing import Final

from mldeploy.project.detect.tree import Tree

SUFFIXES: Final = frozenset({
    ".pkl", ".pickle", ".joblib", ".jbl", ".sav", ".dill", ".onnx", ".h5", ".hdf5", ".keras", ".pt", ".pth", ".ckpt",
    ".safetensors", ".cbm", ".ubj", ".bst", ".tflite", ".gguf",
})  # fmt: skip

FOLDERS: Final = {"MLmodel": "MLflow", "saved_model.pb": "TensorFlow SavedModel"}
"""The files by which one knows a model that is a folder."""


def may_hold_models(tree: Tree) -> bool:
    """Whether any file has such a name: if not, nothing needs to be opened."""
    return any(file.suffix in SUFFIXES or file.name in FOLDERS for file in tree.files)
