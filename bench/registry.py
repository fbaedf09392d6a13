"""A registry on this machine, for what a push really carries."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from docker import APIClient

from mldeploy.rehearsal.registry.program import RegistryProgram

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Registry:
    """Knows which layers each repository has been sent so far."""

    client: APIClient
    url: str
    layers: dict[str, set[str]] = field(default_factory=dict)

    def pushed(self, image: str, repository: str) -> int:
        """Push an image; compressed bytes of its layers that had not been pushed to that repository yet."""
        tag = uuid.uuid4().hex[:12]
        self._push(image, f"{self.url.removeprefix('http://')}/{repository}", tag)
        manifest = f"{self.url}/v2/{repository}/manifests/{tag}"
        answer = requests.get(manifest, headers={"Accept": MANIFEST}, timeout=30)
        answer.raise_for_status()
        sizes: dict[str, int] = {layer["digest"]: layer["size"] for layer in answer.json()["layers"]}
        return self.new(sizes, repository)

    def new(self, sizes: Mapping[str, int], repository: str) -> int:
        """Note layers, bytes by digest, as sent; bytes of those that were not there before."""
        there = self.layers.setdefault(repository, set())
        new = sum(length for digest, length in sizes.items() if digest not in there)
        there.update(sizes)
        return new

    def _push(self, image: str, repository: str, tag: str) -> None:
        self.client.tag(image, repository, tag)
        try:
            for event in self.client.push(repository, tag, stream=True, decode=True):
                if "error" in event:
                    raise RuntimeError(f"{image} cannot be pushed: {event['error']}")
        finally:
            self.client.remove_image(f"{repository}:{tag}")


@contextmanager
def registry(client: APIClient, scratch: Path) -> Iterator[Registry]:
    """An empty registry until the block ends. RehearsalError where no registry is installed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = RegistryProgram(scratch / "registry", address)
    try:
        yield Registry(client, program.upstream.url)
    finally:
        program.close()
