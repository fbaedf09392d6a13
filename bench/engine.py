"""What the benchmarks ask the Docker Engine for: fresh bases, sizes, and nothing left behind."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker import APIClient
from docker.errors import ImageNotFound

from mldeploy.config.load import load

CA = "/usr/local/share/bench-ca.pem"


@dataclass(frozen=True)
class Base:
    """What the images of a measurement build on, as the user's own settings say it."""

    image: str
    ca_bundle: Path | None

    @classmethod
    def chosen(cls, folder: Path) -> Base:
        """The base that a build of that folder would take on this machine."""
        build = load(folder).build
        return cls(build.base_image, Path(build.ca_bundle) if build.ca_bundle else None)


@contextmanager
def fresh(client: APIClient, base: Base) -> Iterator[str]:
    """The base under an id that no build has seen, so that nothing on top of it is cached; its name.

    Where the network is inspected it also trusts what this machine trusts: only mldeploy has a setting for that. And
    pip may install beside the distribution's packages, which a Python image allows and Debian's Python does not.
    """
    name = f"mldeploy-bench/base:{uuid.uuid4().hex[:12]}"
    lines = [
        f"FROM {base.image}",
        f"LABEL bench={name}",
        "ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DEFAULT_TIMEOUT=60 UV_HTTP_TIMEOUT=60",
    ]
    files = {}
    if base.ca_bundle:
        files["ca.pem"] = base.ca_bundle.read_bytes()
        lines += [f"COPY ca.pem {CA}", f"ENV PIP_CERT={CA} SSL_CERT_FILE={CA}"]
    image(client, name, {**files, "Dockerfile": "\n".join(lines).encode()})
    try:
        yield name
    finally:
        remove(client, name)


def image(client: APIClient, name: str, files: dict[str, bytes]) -> None:
    """Build an image from a context of those files. RuntimeError if it does not build."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    context.seek(0)
    for event in client.build(fileobj=context, custom_context=True, tag=name, rm=True, forcerm=True, decode=True):
        if "error" in event:
            raise RuntimeError(f"{name} does not build: {event['error']}")


def size(client: APIClient, name: str) -> int:
    """Bytes of an image, uncompressed."""
    return int(client.inspect_image(name)["Size"])


def remove(client: APIClient, name: str) -> None:
    """Remove an image, if it is there."""
    with suppress(ImageNotFound):
        client.remove_image(name, force=True)
