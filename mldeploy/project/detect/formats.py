"""What a model file says of itself in its first bytes: whose it is, and which version made it."""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from mldeploy.project.detect import pickles
from mldeploy.project.detect.documents import load_json, text_at
from mldeploy.project.detect.pickles import Pickle
from mldeploy.project.detect.streams import Unpacked

_HEADER_LIMIT = 1 << 20
_MAX_MEMBERS = 20_000
"""Members of an archive: the largest models that PyTorch saves have some thousands of tensors."""


@dataclass(frozen=True)
class Contents:
    """What a model file is. format: as people call it. libraries: distributions without which it cannot be loaded.

    versions: of those that made it, by distribution, as far as it is recorded. pickle: what its pickle does, if any.
    """

    format: str
    libraries: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    pickle: Pickle | None = field(default=None, repr=False)


def contents(handle: BinaryIO, suffix: str) -> Contents | None:
    """What a file holds, by its first bytes and, where those do not say, by its suffix. Raises OSError."""
    head = handle.read(16)
    handle.seek(0)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return Contents("HDF5", ("h5py", "tensorflow"))
    if head.startswith(b"PK\x03\x04"):
        return _archive(handle)
    if head.startswith(b"\x80\x02") and suffix in {".pt", ".pth", ".ckpt"}:
        return _SEVERAL_PICKLES
    reader = _READERS.get(suffix, _pickle)
    return _BY_SUFFIX.get(suffix) or reader(handle)


def _pickle(handle: BinaryIO) -> Contents | None:
    found = pickles.read(handle)
    return Contents("pickle", pickle=found) if found else None


_SEVERAL_PICKLES = Contents("PyTorch", ("torch",))
"""How PyTorch saved until 1.6."""

_BY_SUFFIX = {
    ".cbm": Contents("CatBoost", ("catboost",)),
    ".ubj": Contents("XGBoost", ("xgboost",)),
    ".bst": Contents("XGBoost", ("xgboost",)),
    ".tflite": Contents("TensorFlow Lite", ("tensorflow",)),
    ".gguf": Contents("GGUF"),
}


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


def _archive(handle: BinaryIO) -> Contents | None:
    """A ZIP archive: PyTorch's, Keras', or something else. Raises OSError."""
    if _members(handle) > _MAX_MEMBERS:
        return Contents("ZIP archive")
    try:
        with zipfile.ZipFile(handle) as archive:
            return _known_archive(archive)
    except _BROKEN_ARCHIVE:
        return None


def _known_archive(archive: zipfile.ZipFile) -> Contents:
    for info in archive.infolist():
        if info.filename.endswith("/data.pkl") or info.filename == "data.pkl":
            with archive.open(info) as member:
                found = pickles.run(Unpacked(iter(lambda: member.read(1 << 16), b"")))
            return Contents("PyTorch", ("torch",), pickle=found)
        if info.filename == "metadata.json":
            with archive.open(info) as member:
                version = text_at(load_json(member.read(_HEADER_LIMIT)), "keras_version")
            return Contents("Keras", ("keras",), (("keras", version),) if _is_version(version) else ())
    return Contents("ZIP archive")


def _members(handle: BinaryIO) -> int:
    """How many members an archive says it has, from its last record (APPNOTE.TXT 4.3.16), before anything is listed."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - (1 << 16) - 22))
    tail = handle.read()
    handle.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0


def _safetensors(handle: BinaryIO) -> Contents | None:
    """https://huggingface.co/docs/safetensors: eight bytes of length, then a JSON header."""
    length = int.from_bytes(handle.read(8), "little")
    header = load_json(handle.read(length)) if 2 <= length <= _HEADER_LIMIT else {}
    framework = text_at(header, "__metadata__", "format")
    library = {"pt": ("torch",), "tf": ("tensorflow",), "flax": ("flax",)}.get(framework, ())
    return Contents("safetensors", ("safetensors", *library)) if header or length > _HEADER_LIMIT else None


def _onnx(handle: BinaryIO) -> Contents | None:
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
    return Contents("ONNX", ("onnxruntime",), versions)


_READERS = {".safetensors": _safetensors, ".onnx": _onnx}


def _is_version(text: str) -> bool:
    return re.fullmatch(r"\d[\w.+!-]{0,40}", text) is not None
