"""Small models, trained where they are needed, and files that only look like models."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = sklearn.__version__


def save(path: Path, recipe: str) -> None:
    """Write the file that a recipe describes: `regression`, `regression@1.2.2` (as if by that version),
    `regression+zlib` (joblib's compression), or one of FILES.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name, _, version = recipe.partition("@")
    name, _, compression = name.partition("+")
    if name in FILES:
        path.write_bytes(FILES[name]())
        return
    model = ESTIMATORS[name]()
    if path.suffix == ".joblib":
        joblib.dump(model, path, compress=(compression, 3) if compression not in {"", "none"} else 0)
    else:
        path.write_bytes(pickle.dumps(model))
    if version:
        path.write_bytes(_as_if_by(path.read_bytes(), version))


def _as_if_by(data: bytes, version: str) -> bytes:
    """The same pickle with another version of scikit-learn in it. Only texts with a length before them are touched."""
    old, new = HERE.encode(), version.encode()
    changed = data.replace(b"\x8c" + bytes([len(old)]) + old, b"\x8c" + bytes([len(new)]) + new)
    assert changed != data
    return pickletools.optimize(_unframed(changed))


def _unframed(data: bytes) -> bytes:
    """Without frames, whose lengths no longer fit."""
    at = data.index(b"\x95")
    return data[:at] + data[at + 9 :] if data.count(b"\x95") == 1 else data


def regression() -> object:
    rows = np.random.default_rng(7).normal(size=(40, 2))
    return make_pipeline(StandardScaler(), LinearRegression()).fit(rows, rows @ [3, 5])


def classifier() -> object:
    rows = np.random.default_rng(7).normal(size=(60, 3))
    return RandomForestClassifier(n_estimators=3, random_state=0).fit(rows, np.where(rows[:, 0] > 0, "yes", "no"))


ESTIMATORS: dict[str, Callable[[], object]] = {"regression": regression, "classifier": classifier}


class _Calls:
    """What pickles as a call of something."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def _malicious() -> bytes:
    return pickle.dumps(_Calls(os.system, "true"))


def _of_main() -> bytes:
    """What a class of a notebook leaves in a pickle: a name in `__main__`."""
    return b"\x80\x04\x8c\x08__main__\x8c\x0eClipOutliers99\x93)\x81."


def _zip(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def _onnx() -> bytes:
    return b"\x08\x09\x12\x08skl2onnx\x1a\x061.17.0" + bytes(2000)


FILES: dict[str, Callable[[], bytes]] = {
    "malicious": _malicious,
    "of_main": _of_main,
    "table": lambda: pickle.dumps(pd.DataFrame({"age": [1, 2], "sex": ["f", "m"]})),
    "onnx": _onnx,
    "keras": lambda: _zip({"metadata.json": json.dumps({"keras_version": "3.6.0"}).encode(), "config.json": b"{}"}),
    "torch": lambda: _zip({"net/data.pkl": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.", "net/version": b"3\n"}),
    "safetensors": lambda: (
        len(header := b'{"__metadata__":{"format":"pt"}}').to_bytes(8, "little") + header + bytes(64)
    ),
    "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(500),
    "unknown": lambda: b"CBM1" + bytes(500),
    "lfs_pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
}
