"""Model files by their name: which files can be models, and which of them belong to a known app."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mldeploy.project.detect.source.python_source import SourceTree
from mldeploy.project.detect.tree import Tree, scan_folder
from mldeploy.project.ignore import DEFAULT_IGNORED, Ignore, ImageFilter, load_dockerignore

SUFFIXES: Final = frozenset({
    ".pkl", ".pickle", ".joblib", ".jbl", ".sav", ".dill", ".onnx", ".h5", ".hdf5", ".keras", ".pt", ".pth", ".ckpt",
    ".pt2", ".safetensors", ".skops", ".cbm", ".ubj", ".bst", ".tflite", ".gguf",
})  # fmt: skip

FOLDERS: Final = {"MLmodel": "MLflow", "saved_model.pb": "TensorFlow SavedModel"}
"""Files that identify a folder as a model."""


def may_hold_models(tree: Tree) -> bool:
    """Return whether any file can be a model by its name."""
    return any(file.suffix in SUFFIXES or file.name in FOLDERS for file in tree.files)


def find_model_files(folder: Path, served: Iterable[str]) -> tuple[str, ...]:
    """The files of the models, as paths below the folder, sorted. Raises ProjectError.

    served: the paths of what may be the app's own file.
    """
    tree = scan_folder(folder)
    if not may_hold_models(tree):
        return ()
    from mldeploy.project.detect.models.model_list import find_models, list_shipped  # noqa: PLC0415 - its readers are for models alone

    sources = SourceTree(tree)
    detected, _ = find_models(tree, sources.reachable(module for path in served if (module := sources.module(path))))
    return list_shipped(tree, detected, ImageFilter(load_dockerignore(folder) or Ignore.of(DEFAULT_IGNORED)))
