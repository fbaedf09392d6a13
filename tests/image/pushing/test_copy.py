"""Images that are copied between repositories keep their digest, and what is there already is not sent again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from mldeploy.core.events import Event, Progressed
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.registry.access import ImageRepository, RegistryAccess
from mldeploy.image.registry.client import RegistryClient, RegistryError
from mldeploy.image.registry.copy import BlobClient, copy_image
from mldeploy.rehearsal.registry.program import RegistryProgram
from tests.ports import reserved_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = gzip.compress(b"a layer" * 400_000, compresslevel=1)
"""No engine compresses so: a push by way of an engine would change the digest."""


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def second(tmp_path: Path) -> Iterator[str]:
    with reserved_port() as port:
        program = RegistryProgram(tmp_path / "second", f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"
        program.close()


def upload(address: str, repository: str, content: bytes) -> None:
    started = requests.post(f"http://{address}/v2/{repository}/blobs/uploads/", timeout=60)
    place = urljoin(started.url, started.headers["Location"])
    joined = "&" if "?" in place else "?"
    requests.put(f"{place}{joined}digest={sha(content)}", data=content, timeout=60).raise_for_status()


def fill(address: str, repository: str, *, index: bool = False) -> str:
    """Put an image into a repository; its digest. index: it is one of a list."""
    config = json.dumps({"config": {"Labels": {"mldeploy.app": "shop"}}}).encode()
    for content in (config, LAYER):
        upload(address, repository, content)
    named = [{"digest": sha(each), "size": len(each), "mediaType": "text/plain"} for each in (config, LAYER)]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": named[0], "layers": named[1:]}).encode()
    digest = put(address, repository, manifest, MANIFEST)
    if not index:
        return digest
    listed = {"digest": digest, "size": len(manifest), "mediaType": MANIFEST}
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]}
    return put(address, repository, json.dumps(document).encode(), INDEX)


def put(address: str, repository: str, manifest: bytes, kind: str) -> str:
    url = f"http://{address}/v2/{repository}/manifests/{sha(manifest)}"
    requests.put(url, data=manifest, headers={"Content-Type": kind}, timeout=60).raise_for_status()
    return sha(manifest)


def copy(address: str, digest: str, to: str, *, path: str = "staging") -> list[Event]:
    """Copy `address/path@digest` to `to/production:one`; what it reports."""
    events: list[Event] = []
    monitor = Monitor(Resource("pushed-image", Key("production")), events.append, Cancel())
    target = ImageRepository(f"{to}/production", lambda: RegistryAccess(to))
    assert copy_image(RegistryAccess(address), path, digest, target, "one", monitor) == digest
    return events


def held(address: str) -> str | None:
    with RegistryClient(RegistryAccess(address)) as client:
        return client.digest("production", "one")


@pytest.mark.parametrize("index", [False, True])
def test_an_image_keeps_its_digest_in_another_registry(registry: str, second: str, index: bool) -> None:
    digest = fill(registry, "staging", index=index)
    events = copy(registry, digest, second)
    assert held(second) == digest
    assert max(each.progress.done for each in events if isinstance(each, Progressed)) == len(LAYER)
    with BlobClient(RegistryAccess(second)) as client:
        assert client.has_blob("production", sha(LAYER))


def test_a_second_copy_sends_nothing(registry: str, second: str) -> None:
    digest = fill(registry, "staging")
    copy(registry, digest, second)
    assert copy(registry, digest, second) == []


def test_a_registry_moves_its_own_blobs(registry: str) -> None:
    digest = fill(registry, "staging")
    assert copy(registry, digest, registry) == []
    assert held(registry) == digest


def test_an_image_that_is_gone_is_named(registry: str, second: str) -> None:
    with pytest.raises(RegistryError, match=r"nowhere has no sha256:0"):
        copy(registry, f"sha256:{'0' * 64}", second, path="nowhere")
    assert held(second) is None
