"""The files that an app's own layers put into an image: read from the image, never from the folder."""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from mldeploy.core.monitor import Monitor
from mldeploy.image.check.trial import Trial
from mldeploy.image.errors import engine_errors
from mldeploy.image.types import BaseDigest
from mldeploy.project.detect import formats
from mldeploy.project.detect.model_names import SUFFIXES
from mldeploy.project.detect.tree import SKIPPED, File, Tree

KEPT_FILE = 1 << 18
"""Bytes of a file that are kept to be searched."""
KEPT_BYTES = 64 << 20
"""Bytes that are kept, in all."""
MODEL_BYTES = 1 << 30
"""A larger model is not looked into."""
BLOCK = 1 << 20

_SYSTEM = tuple(
    PurePosixPath(path)
    for path in ("usr/bin", "usr/include", "usr/lib", "usr/lib64", "usr/libexec", "usr/local/bin", "usr/local/include",
                 "usr/local/lib", "usr/local/share", "usr/sbin", "usr/share", "bin", "lib", "lib64", "sbin", "dev",
                 "proc", "sys", "var/cache", "var/lib")
)  # fmt: skip
"""Where a distribution's packages put their files: keys in there are examples and tests of theirs."""


@dataclass(frozen=True)
class Layers(Tree):
    """Files as they stand in an image, with what was kept of them. Paths have no leading slash."""

    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    models: Mapping[str, formats.Contents | None] = field(default_factory=dict, repr=False)
    """What each model file says of itself; None for one that cannot be read."""
    parts: tuple[Layers, ...] = ()
    """The same layer by layer, where they were read so: what a later one overwrites is in an earlier one as it was."""

    def data(self, file: File, limit: int = KEPT_FILE) -> bytes:
        return self.kept.get(file.path, b"")[:limit]


def of_folder(trial: Trial, folder: str, monitor: Monitor) -> Layers:
    """What is below a folder of the image: that is all of the app, where our own recipe made the image.

    Raises EngineError, CancelledError.
    """
    taken = _Taken(monitor)
    with trial.container(trial.spec()) as made, engine_errors(folder):
        chunks, _ = trial.engine.client.get_archive(made, folder)
        above = str(PurePosixPath(folder).parent).strip("/")
        taken.take(_pipe(chunks), f"{above}/" if above else "")
    return taken.layers()


def of_layers(trial: Trial, image: str, base: BaseDigest, monitor: Monitor) -> Layers:
    """What the layers above the base hold, also what a later layer has removed again: whoever has the image has it.

    image: its id. Reads the whole image. Raises EngineError, CancelledError.
    """
    client = trial.engine.client
    with engine_errors(trial.reference):
        mine = client.inspect_image(image)["RootFS"]["Layers"]
        bases = [client.inspect_image(reference)["RootFS"]["Layers"] for reference, _ in base.digests]
        skipped = max((len(each) for each in bases if mine[: len(each)] == each), default=0)
        return _saved(_pipe(client.get_image(image, chunk_size=BLOCK)), skipped, monitor)


def _saved(archive: IO[bytes], skipped: int, monitor: Monitor) -> Layers:
    """Read what `docker save` writes, with its layers in the order in which it happens to write them."""
    blobs: dict[str, _Taken] = {}
    order: list[str] = []
    with tarfile.open(fileobj=archive, mode="r|", bufsize=BLOCK) as outer:
        for member in outer:
            content = outer.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if member.name == "manifest.json":
                order = json.load(content)[0]["Layers"]
            elif member.name.endswith("/layer.tar") or member.name.startswith("blobs/"):
                blobs[member.name] = taken = _Taken(monitor)
                with contextlib.suppress(tarfile.ReadError):  # a configuration is among the blobs, too
                    taken.take(content, "")
    whole = _Taken(monitor)
    mine = [blobs[name] for name in order[skipped:] if name in blobs]  # of equal layers only one is written
    for each in mine:
        whole.add(each)
    return replace(whole.layers(), parts=tuple(each.layers() for each in mine))


class _Taken:
    """What was taken from one or more archives."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._files: dict[str, File] = {}
        self._kept: dict[str, bytes] = {}
        self._models: dict[str, formats.Contents | None] = {}
        self._left = KEPT_BYTES

    def take(self, archive: IO[bytes], above: str) -> None:
        """Read a tar stream. above: what its paths lie below, with its slash."""
        with tarfile.open(fileobj=archive, mode="r|*", bufsize=BLOCK) as tar:
            for member in tar:
                self._monitor.check()
                path = above + member.name.removeprefix("./").strip("/")
                if member.isfile() and _may_be_the_apps(path):
                    self._add(File(path, member.size), cast("IO[bytes]", tar.extractfile(member)))

    def add(self, other: _Taken) -> None:
        self._files |= other._files
        self._kept |= other._kept
        self._models |= other._models

    def layers(self) -> Layers:
        files = tuple(sorted(self._files.values(), key=lambda file: file.path))
        return Layers(Path("/"), files, kept=self._kept, models=self._models)

    def _add(self, file: File, content: IO[bytes]) -> None:
        self._files[file.path] = file
        if file.suffix in SUFFIXES:
            self._models[file.path] = _looked_into(file, content) if file.size <= MODEL_BYTES else None
        elif file.size <= self._left:
            self._kept[file.path] = kept = content.read(KEPT_FILE)
            self._left -= len(kept)


def _looked_into(file: File, content: IO[bytes]) -> formats.Contents | None:
    """What a model says of itself. The copy has no name: nothing of it is left, however this ends."""
    with tempfile.TemporaryFile() as copy:
        for chunk in iter(lambda: content.read(BLOCK), b""):
            copy.write(chunk)
        copy.seek(0)
        return formats.contents(cast("BinaryIO", copy), file.suffix)


def _may_be_the_apps(path: str) -> bool:
    place = PurePosixPath(path)
    is_theirs = any(place.is_relative_to(folder) for folder in _SYSTEM)
    return not is_theirs and "dist-packages" not in place.parts and SKIPPED.isdisjoint(place.parts)


def _pipe(chunks: Iterable[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Pipe(chunks))  # of all that a file can do, tarfile needs `read` alone for a stream


class _Pipe:
    """Chunks of bytes as a file that can be read once, from its beginning to its end."""

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
