"""The files in an app's own layers, read from the image."""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from mldeploy.check.trial import CheckContainers
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import engine_errors
from mldeploy.image.types import BaseDigest
from mldeploy.project.detect.models import formats
from mldeploy.project.detect.models.model_files import SUFFIXES
from mldeploy.project.detect.tree import SKIPPED, Tree, TreeFile

KEPT_FILE = 1 << 18
"""Bytes of each file to search."""
KEPT_BYTES = 64 << 20
"""Bytes to search in total."""
MODEL_BYTES = 1 << 30
"""Larger models are not inspected."""
BLOCK = 1 << 20

_SYSTEM = tuple(
    PurePosixPath(path)
    for path in ("usr/bin", "usr/include", "usr/lib", "usr/lib64", "usr/libexec", "usr/local/bin", "usr/local/include",
                 "usr/local/lib", "usr/local/share", "usr/sbin", "usr/share", "bin", "lib", "lib64", "sbin", "dev",
                 "proc", "sys", "var/cache", "var/lib")
)  # fmt: skip
"""Where a distribution's packages put their files: keys there are their examples and tests."""


@dataclass(frozen=True)
class Layers(Tree):
    """An image's files and their content to search. Paths have no leading slash."""

    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    models: Mapping[str, formats.ModelContents | None] = field(default_factory=dict, repr=False)
    """The metadata of each model file; None if it cannot be read."""
    parts: tuple[Layers, ...] = ()
    """The single layers, if read separately: they hold files that later layers overwrite."""

    def data(self, file: TreeFile, limit: int = KEPT_FILE) -> bytes:
        return self.kept.get(file.path, b"")[:limit]


def read_folder(trial: CheckContainers, folder: str, monitor: Monitor) -> Layers:
    """Read a folder of the image. In images of our own recipe it holds the whole app.

    Raises EngineError, CancelledError.
    """
    collector = _Collector(monitor)
    with trial.container(trial.spec()) as made, engine_errors(folder):
        chunks, _ = trial.engine.client.get_archive(made, folder)
        above = str(PurePosixPath(folder).parent).strip("/")
        collector.read(_pipe(chunks), f"{above}/" if above else "")
    return collector.layers()


def read_layers(trial: CheckContainers, image: str, base: BaseDigest, monitor: Monitor) -> Layers:
    """Read the layers above the base, including files that a later layer removes: they remain in the image.

    image: its id. Reads the whole image. Raises EngineError, CancelledError.
    """
    client = trial.engine.client
    with engine_errors(trial.reference):
        mine = client.inspect_image(image)["RootFS"]["Layers"]
        bases = [client.inspect_image(reference)["RootFS"]["Layers"] for reference, _ in base.digests]
        skipped = max((len(each) for each in bases if mine[: len(each)] == each), default=0)
        return _read_archive(_pipe(client.get_image(image, chunk_size=BLOCK)), skipped, monitor)


def _read_archive(archive: IO[bytes], skipped: int, monitor: Monitor) -> Layers:
    """Read an archive of `docker save`. Its layers come in any order."""
    blobs: dict[str, _Collector] = {}
    order: list[str] = []
    with tarfile.open(fileobj=archive, mode="r|", bufsize=BLOCK) as outer:
        for member in outer:
            content = outer.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if member.name == "manifest.json":
                order = json.load(content)[0]["Layers"]
            elif member.name.endswith("/layer.tar") or member.name.startswith("blobs/"):
                blobs[member.name] = collector = _Collector(monitor)
                with contextlib.suppress(tarfile.ReadError):  # one of the blobs is the configuration
                    collector.read(content, "")
    whole = _Collector(monitor)
    mine = [blobs[name] for name in order[skipped:] if name in blobs]  # equal layers are written once
    for each in mine:
        whole.add(each)
    return replace(whole.layers(), parts=tuple(each.layers() for each in mine))


class _Collector:
    """Collects files from one or more archives."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._files: dict[str, TreeFile] = {}
        self._kept: dict[str, bytes] = {}
        self._models: dict[str, formats.ModelContents | None] = {}
        self._left = KEPT_BYTES

    def read(self, archive: IO[bytes], above: str) -> None:
        """Read a tar stream. above: the prefix of its paths, with a slash."""
        with tarfile.open(fileobj=archive, mode="r|*", bufsize=BLOCK) as tar:
            for member in tar:
                self._monitor.check()
                path = above + member.name.removeprefix("./").strip("/")
                if member.isfile() and _is_app_path(path):
                    self._add(TreeFile(path, member.size), cast("IO[bytes]", tar.extractfile(member)))

    def add(self, other: _Collector) -> None:
        self._files |= other._files
        self._kept |= other._kept
        self._models |= other._models

    def layers(self) -> Layers:
        files = tuple(sorted(self._files.values(), key=lambda file: file.path))
        return Layers(Path("/"), files, kept=self._kept, models=self._models)

    def _add(self, file: TreeFile, content: IO[bytes]) -> None:
        self._files[file.path] = file
        if file.suffix in SUFFIXES:
            self._models[file.path] = _read_model(file, content) if file.size <= MODEL_BYTES else None
        elif file.size <= self._left:
            self._kept[file.path] = kept = content.read(KEPT_FILE)
            self._left -= len(kept)


def _read_model(file: TreeFile, content: IO[bytes]) -> formats.ModelContents | None:
    """Read a model's metadata. The copy is an unnamed temporary file."""
    with tempfile.TemporaryFile() as copy:
        for chunk in iter(lambda: content.read(BLOCK), b""):
            copy.write(chunk)
        copy.seek(0)
        return formats.read_contents(cast("BinaryIO", copy), file.suffix)


def _is_app_path(path: str) -> bool:
    parts = PurePosixPath(path)
    is_theirs = any(parts.is_relative_to(folder) for folder in _SYSTEM)
    return not is_theirs and "dist-packages" not in parts.parts and SKIPPED.isdisjoint(parts.parts)


def _pipe(chunks: Iterable[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Pipe(chunks))  # tarfile needs only `read` for a stream


class _Pipe:
    """Chunks of bytes as a file that can be read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._held = bytearray()

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._held += chunk
        size = len(self._held) if size < 0 else size
        piece = bytes(self._held[:size])
        del self._held[:size]
        return piece
