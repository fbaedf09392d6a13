"""What a model file says of itself in its first bytes: whose it is, and which version made it."""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from mldeploy.project.detect.documents import load_json, text_at
from mldeploy.project.detect.models import pickles
from mldeploy.project.detect.models.pickles import PickleContents
from mldeploy.project.detect.models.streams import DecompressedStream

_HEADER_LIMIT = 1 << 20
_MAX_MEMBERS = 20_000
"""Members of an archive: the largest models that PyTorch saves have some thousands of tensors."""


@dataclass(frozen=True)
class ModelContents:
    """What a model file is. format: as people call it. libraries: distributions without which it cannot be loaded.

    versions: of those that made it, by distribution, as far as it is recorded. pickle: what its pickle does, if any.
    """

    format: str
    libraries: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    pickle: PickleContents | None = field(default=None, repr=False)


def read_contents(handle: BinaryIO, suffix: str) -> ModelContents | None:
    """What a file holds, by its first bytes and, where those do not say, by its suffix. Raises OSError."""
    head = handle.read(16)
    handle.seek(0)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return ModelContents("HDF5", ("h5py", "tensorflow"))
    if head.startswith(b"PK\x03\x04"):
        return _read_archive(handle)
    if head.startswith(b"\x80\x02") and suffix in {".pt", ".pth", ".ckpt"}:
        return _SEVERAL_PICKLES
    reader = _READERS.get(suffix, _read_pickle)
    return _BY_SUFFIX.get(suffix) or reader(handle) or _UNREADABLE.get(suffix)


def _read_pickle(handle: BinaryIO) -> ModelContents | None:
    pickle = pickles.read_pickle(handle)
    return ModelContents("pickle", pickle=pickle) if pickle else None


_SEVERAL_PICKLES = ModelContents("PyTorch", ("torch",))
"""How PyTorch saved until 1.6."""

_BY_SUFFIX = {
    ".cbm": ModelContents("CatBoost", ("catboost",)),
    ".bst": ModelContents("XGBoost", ("xgboost",)),
    ".tflite": ModelContents("TensorFlow Lite", ("tensorflow",)),
    ".gguf": ModelContents("GGUF"),
}


_UNREADABLE = {".ubj": ModelContents("XGBoost", ("xgboost",))}
"""What a file is by its suffix alone, if its content does not show more."""

_BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,  # a compression or an encryption that zipfile does not know
    RuntimeError,
    ValueError,
    KeyError,
    EOFError,
    zlib.error,
    struct.error,
)


def _read_archive(handle: BinaryIO) -> ModelContents | None:
    """A ZIP archive: PyTorch's, Keras', or something else. Raises OSError."""
    if _count_members(handle) > _MAX_MEMBERS:
        return ModelContents("ZIP archive")
    try:
        with zipfile.ZipFile(handle) as archive:
            return _identify_archive(archive)
    except _BROKEN_ARCHIVE:
        return None


TORCH_EXPORT = "torch.export"
TORCH_SCRIPT = "TorchScript"
TORCH_WEIGHTS = "PyTorch state dict"
_EXPORTED = ("serialized_exported_program.json", "models/model.json", "archive_format")
_TENSOR_MODULES = frozenset({"collections", "torch", "_codecs", "numpy"})

_SKLEARN_VERSION = re.compile(r'"_sklearn_version":\s*\{[^{}]*"content":\s*"\\"(\d[\w.+!-]{0,40})\\""')
"""In the schema.json of skops, which holds each attribute as JSON in JSON."""


def _read_skops(archive: zipfile.ZipFile) -> ModelContents:
    """https://skops.readthedocs.io/en/stable/persistence.html"""
    with archive.open("schema.json") as member:
        text = member.read(16 << 20).decode(errors="replace")
    versions = _SKLEARN_VERSION.findall(text)
    skops = re.search(r'"_skops_version":\s*"(\d[\w.+!-]{0,40})"', text)
    known = [("scikit-learn", versions[-1])] if versions else []
    known += [("skops", skops[1])] if skops else []
    return ModelContents("skops", ("skops", "scikit-learn"), tuple(known))


def _pytorch_format(names: set[str], pickle: PickleContents | None) -> str:
    """Name the kind of a PyTorch archive: TorchScript has code beside its data, weights import nothing but tensors."""
    if any("/code/" in name for name in names):
        return TORCH_SCRIPT
    if pickle and pickle.complete and pickle.modules <= _TENSOR_MODULES:
        return TORCH_WEIGHTS
    return "PyTorch"


def _identify_archive(archive: zipfile.ZipFile) -> ModelContents:
    names = set(archive.namelist())
    if "schema.json" in names:
        return _read_skops(archive)
    if any(name.endswith(_EXPORTED) for name in names):
        return ModelContents(TORCH_EXPORT, ("torch",))
    for info in archive.infolist():
        if info.filename.endswith("/data.pkl") or info.filename == "data.pkl":
            with archive.open(info) as member:
                pickle = pickles.run_pickle(DecompressedStream(iter(lambda: member.read(1 << 16), b"")))
            return ModelContents(_pytorch_format(names, pickle), ("torch",), pickle=pickle)
        if info.filename == "metadata.json":
            with archive.open(info) as member:
                version = text_at(load_json(member.read(_HEADER_LIMIT)), "keras_version")
            return ModelContents("Keras", ("keras",), (("keras", version),) if _is_version(version) else ())
    return ModelContents("ZIP archive")


def _count_members(handle: BinaryIO) -> int:
    """How many members an archive says it has, from its last record (APPNOTE.TXT 4.3.16), before anything is listed."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - (1 << 16) - 22))
    tail = handle.read()
    handle.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0


def _read_safetensors(handle: BinaryIO) -> ModelContents | None:
    """https://huggingface.co/docs/safetensors: eight bytes of length, then a JSON header."""
    length = int.from_bytes(handle.read(8), "little")
    header = load_json(handle.read(length)) if 2 <= length <= _HEADER_LIMIT else {}
    framework = text_at(header, "__metadata__", "format")
    library = {"pt": ("torch",), "tf": ("tensorflow",), "flax": ("flax",)}.get(framework, ())
    return ModelContents("safetensors", ("safetensors", *library)) if header or length > _HEADER_LIMIT else None


def _read_onnx(handle: BinaryIO) -> ModelContents | None:
    """A `ModelProto` (onnx.proto): field 1 is the format's version, 2 the producer's name, 3 the producer's version."""
    data = handle.read(1024)
    match = re.match(rb"\x08.\x12(.)", data, re.DOTALL)
    if not data.startswith(b"\x08"):
        return None
    versions: tuple[tuple[str, str], ...] = ()
    if match:
        end = match.end() + match[1][0]
        name = data[match.end() : end].decode("ascii", "replace")
        version = (
            data[end + 2 : end + 2 + data[end + 1]].decode("ascii", "replace") if data[end : end + 1] == b"\x1a" else ""
        )
        producer = {"pytorch": "torch", "tf2onnx": "tensorflow"}.get(name, name)
        versions = ((producer, version),) if producer.isascii() and _is_version(version) else ()
    return ModelContents("ONNX", ("onnxruntime",), versions)


def _read_boosted(handle: BinaryIO) -> ModelContents | None:
    """The text formats of XGBoost (JSON, also as UBJSON) and LightGBM."""
    head = handle.read(_HEADER_LIMIT)
    if head.startswith(b"tree\nversion="):
        return ModelContents("LightGBM", ("lightgbm",))
    if not re.match(rb"\{[\s\S]{0,200}learner", head):
        return None
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - _HEADER_LIMIT))
    tail = handle.read(_HEADER_LIMIT)
    match = re.search(rb'"version":\s*\[\s*(\d+),\s*(\d+),\s*(\d+)\s*\]', tail)
    version = ".".join(part.decode() for part in match.groups()) if match else _ubjson_version(tail)
    return ModelContents("XGBoost", ("xgboost",), (("xgboost", version),) if version else ())


_UBJSON_WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}


def _ubjson_version(tail: bytes) -> str:
    """Read the array of the version: each number has its type, or all have the one after `$`. https://ubjson.org"""
    match = re.search(rb"version\[(?:\$(.))?(?:#([iUIlL]))?", tail, re.DOTALL)
    if match is None:
        return ""
    kind = match[1] or b""
    rest = tail[match.end() + _UBJSON_WIDTHS.get(match[2] or b"", 0) :]
    numbers: list[int] = []
    for _ in range(3):
        code, rest = (kind, rest) if kind else (rest[:1], rest[1:])
        width = _UBJSON_WIDTHS.get(code, 0)
        if not width:
            return ""
        numbers.append(int.from_bytes(rest[:width], "big"))
        rest = rest[width:]
    return ".".join(map(str, numbers))


_READERS = {
    ".safetensors": _read_safetensors,
    ".onnx": _read_onnx,
    ".json": _read_boosted,
    ".txt": _read_boosted,
    ".model": _read_boosted,
    ".ubj": _read_boosted,
}


def _is_version(text: str) -> bool:
    return re.fullmatch(r"\d[\w.+!-]{0,40}", text) is not None
