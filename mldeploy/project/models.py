"""The model files in a folder, found by their extension."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

EXTENSIONS = frozenset({
    ".bst", ".cbm", ".h5", ".joblib", ".keras", ".onnx", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".ubj",
})  # fmt: skip
"""What the usual libraries save a model as, and what is seldom anything else."""

_NOT_THE_APPS = frozenset({"test", "tests", "data", "node_modules", "mlruns"})


def find_models(folder: Path) -> tuple[str, ...]:
    """Model files of the folder and of the folders right below it, as paths below it with forward slashes, sorted."""
    files = [file for place in (folder, *_folders(folder)) for file in _entries(place)]
    found = (file for file in files if file.suffix.lower() in EXTENSIONS and file.is_file())
    return tuple(sorted(file.relative_to(folder).as_posix() for file in found))


def _folders(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        is_own = entry.is_dir() and not entry.is_symlink() and entry.name.lower() not in _NOT_THE_APPS
        if is_own and not (entry / "pyvenv.cfg").exists():
            yield entry


def _entries(folder: Path) -> Iterator[Path]:
    """What is in the folder, without hidden things and names that no Dockerfile can hold; nothing if unreadable."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    yield from (entry for entry in entries if entry.name.isprintable() and not entry.name.startswith("."))
