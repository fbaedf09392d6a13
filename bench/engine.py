"""What the benchmarks ask the Docker Engine for: the tutorials' build, fresh bases, and what a push would carry."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from docker import APIClient

from bench.subject import ROOT

CA = "build-ca.pem"


@contextmanager
def fresh_base(client: APIClient, base: str) -> Iterator[str]:
    """The same base image under an id that no build has seen, so that nothing on top of it is cached."""
    name = f"mldeploy-bench/{uuid.uuid4().hex[:12]}"
    dockerfile = io.BytesIO(f"FROM {base}\nLABEL bench={name}\n".encode())
    _finish(client.build(fileobj=dockerfile, tag=name, rm=True, forcerm=True, decode=True))
    try:
        yield name
    finally:
        client.remove_image(name, force=True)


@contextmanager
def tutorial_image(client: APIClient, folder: Path, base: str, ca_bundle: Path | None) -> Iterator[str]:
    """The folder's image as the tutorials' Dockerfile makes it; its name."""
    name = f"mldeploy-bench/tutorial-{uuid.uuid4().hex[:12]}"
    shutil.copy(ROOT / "bench" / "tutorial" / "Dockerfile", folder / "Dockerfile.tutorial")
    arguments = {"BASE": base}
    if ca_bundle:
        shutil.copy(ca_bundle, folder / CA)
        arguments["PIP_CERT"] = f"/app/{CA}"
    _finish(
        client.build(
            path=str(folder), dockerfile="Dockerfile.tutorial", tag=name, buildargs=arguments,
            rm=True, forcerm=True, decode=True,
        )
    )  # fmt: skip
    try:
        yield name
    finally:
        client.remove_image(name, force=True)


def size(client: APIClient, image: str) -> int:
    """Bytes of an image, uncompressed."""
    return int(client.inspect_image(image)["Size"])


def carried(client: APIClient, image: str, known: str | None = None) -> int:
    """Bytes, compressed as a push compresses them, that a push of `image` carries to a registry that has `known`."""
    there = set(_layers(client, known)) if known else set()
    with tempfile.TemporaryFile() as saved:
        for chunk in client.get_image(image):
            saved.write(chunk)
        saved.seek(0)
        with tarfile.open(fileobj=saved) as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            files = zip(_layers(client, image), manifest[0]["Layers"], strict=True)
            return sum(_compressed(_member(archive, file)) for layer, file in files if layer not in there)


def _layers(client: APIClient, image: str) -> list[str]:
    return list(client.inspect_image(image)["RootFS"]["Layers"])


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} in a saved image is not a file")
    return file


def _compressed(layer: IO[bytes]) -> int:
    gzip = zlib.compressobj(wbits=31)
    return sum(len(gzip.compress(chunk)) for chunk in iter(lambda: layer.read(1 << 20), b"")) + len(gzip.flush())


def _finish(events: Iterator[dict[str, object]]) -> None:
    for event in events:
        if "error" in event:
            raise RuntimeError(f"a build failed: {event['error']}")
