"""A registry on this machine, for what a push really carries: Debian's docker-registry."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from docker import APIClient

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}"}}
"""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PATIENCE = 30.0


@dataclass
class Registry:
    """Knows what it has been sent so far: another tool's layers do not count as there, its repositories are apart."""

    client: APIClient
    address: str
    layers: dict[str, set[str]] = field(default_factory=dict)

    def pushed(self, image: str, owner: str) -> int:
        """Push an image; compressed bytes of its layers that `owner` had not pushed yet."""
        repository = f"{self.address}/{owner}"
        tag = uuid.uuid4().hex[:12]
        self.client.tag(image, repository, tag)
        try:
            for event in self.client.push(repository, tag, stream=True, decode=True):
                if "error" in event:
                    raise RuntimeError(f"{image} cannot be pushed: {event['error']}")
        finally:
            self.client.remove_image(f"{repository}:{tag}")
        answer = requests.get(
            f"http://{self.address}/v2/{owner}/manifests/{tag}", headers={"Accept": MANIFEST}, timeout=PATIENCE
        )
        answer.raise_for_status()
        sizes: dict[str, int] = {layer["digest"]: layer["size"] for layer in answer.json()["layers"]}
        there = self.layers.setdefault(owner, set())
        new = sum(length for digest, length in sizes.items() if digest not in there)
        there |= sizes.keys()
        return new


@contextmanager
def registry(client: APIClient, scratch: Path) -> Iterator[Registry]:
    """An empty registry until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    file = scratch / "registry.yml"
    file.write_text(CONFIGURATION.format(folder=scratch / "registry", address=address))
    with subprocess.Popen(
        ["docker-registry", "serve", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as serving:
        try:
            _await(f"http://{address}/v2/")
            yield Registry(client, address)
        finally:
            serving.terminate()


def _await(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            requests.get(url, timeout=1).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
