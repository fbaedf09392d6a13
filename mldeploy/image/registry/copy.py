"""Copies of images from one repository to another, byte for byte, so that the digest stays the same.

An engine's push may compress the layers anew, which changes the digest. Standard: OCI distribution spec 1.1, "Push".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import RequestException

from mldeploy.bounded_http import bounded
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.registry.access import SECONDS, ImageRepository, RegistryAccess
from mldeploy.image.registry.client import RegistryClient, RegistryError

_CHUNK = 1 << 20
_LARGEST = 1 << 40
_BLOB_SECONDS = 3600.0
_BYTES = {"Content-Type": "application/octet-stream"}
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class CopiedBlob:
    """A blob of a manifest."""

    digest: str
    size: int


def copy_image(
    source: RegistryAccess, path: str, digest: str, target: ImageRepository, tag: str, monitor: Monitor
) -> str:
    """Copy an image, tag it, and return its digest, which is the source's. May be repeated: what is there stays.

    path: of the source's repository. Raises RegistryError; CancelledError after a stop.
    """
    access = target.enter()
    with BlobClient(source) as reader, BlobClient(access) as writer:
        mounted = path if source.address == access.address else ""
        _copy_manifest(reader, path, digest, writer, target.path, mounted, monitor, tag)
        confirmed = writer.digest(target.path, tag)
    if confirmed != digest:
        what = f"has {confirmed or 'nothing'} under the tag to which {digest} was copied"
        raise RegistryError(f"{target.name}:{tag}", what, "Run the command again.")
    return digest


def _copy_manifest(  # noqa: PLR0913, PLR0917 - both sides of a copy
    reader: BlobClient, path: str, digest: str, writer: BlobClient, to: str, mounted: str, monitor: Monitor, tag: str
) -> None:
    """Copy what a manifest names, then itself. tag: "" for a manifest of an index."""
    content, media_type = reader.read_manifest(path, digest)
    document = json.loads(content)
    for each in document.get("manifests", ()):
        _copy_manifest(reader, path, each["digest"], writer, to, mounted, monitor, "")
    blobs = [document["config"], *document.get("layers", ())] if "config" in document else []
    for each in blobs:
        monitor.check()
        blob = CopiedBlob(each["digest"], each["size"])
        if not writer.has_blob(to, blob.digest):
            writer.write_blob(to, blob, mounted, reader, path, monitor)
    writer.write_manifest(to, tag or digest, content, media_type)


class BlobClient(RegistryClient):
    """A client that reads and writes manifests and blobs, too."""

    def read_manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Return a manifest as it is, and its media type. Raises RegistryError if it does not exist."""
        with self._request("GET", f"{repository}/manifests/{reference}") as answer:
            if answer is None:
                raise RegistryError(self._address, f"{repository} has no {reference}", "Deploy the source again.")
            return answer.content, answer.headers.get("Content-Type", _MANIFEST_TYPE)

    def has_blob(self, repository: str, digest: str) -> bool:
        with self._request("HEAD", f"{repository}/blobs/{digest}") as answer:
            return answer is not None

    def write_blob(
        self, repository: str, blob: CopiedBlob, mounted: str, reader: BlobClient, path: str, monitor: Monitor
    ) -> None:
        """Mount a blob of another repository of this registry, or upload it. mounted: that repository, "" for none."""
        query = {"mount": blob.digest, "from": mounted} if mounted else {}
        answer = self._send("POST", f"{self._base}/{repository}/blobs/uploads/", params=query)
        if answer.status_code == requests.codes.created:
            return
        upload = urljoin(answer.url, answer.headers.get("Location", ""))
        with bounded(_BLOB_SECONDS, size=_LARGEST, monitor=monitor):
            content = reader.read_blob(path, blob, monitor)
            sent = self._send(
                "PATCH",
                upload,
                data=content,
                headers={"Content-Type": "application/octet-stream"},
                seconds=_BLOB_SECONDS,
            )
        upload = urljoin(upload, sent.headers.get("Location", "") or upload)
        joined = "&" if urlsplit(upload).query else "?"
        self._send("PUT", f"{upload}{joined}digest={blob.digest}", headers={"Content-Length": "0"})

    def read_blob(self, repository: str, blob: CopiedBlob, monitor: Monitor) -> Iterator[bytes]:
        """Yield a blob and report its bytes."""
        url = f"{self._base}/{repository}/blobs/{blob.digest}"
        done = 0
        with self._session.get(url, auth=self._login, timeout=SECONDS, stream=True) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(_CHUNK):
                done += len(chunk)
                monitor.progress(Progress(blob.digest[7:19], "copying", done, blob.size, in_bytes=True))
                yield chunk

    def write_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> None:
        url = f"{self._base}/{repository}/manifests/{reference}"
        self._send("PUT", url, data=content, headers={"Content-Type": media_type})

    def _send(
        self,
        method: str,
        url: str,
        *,
        data: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        seconds: float = SECONDS[1],
    ) -> requests.Response:
        """Send a request that must succeed. The first one of an upload has no body: it gets the token."""

        def send() -> requests.Response:
            return self._session.request(
                method, url, auth=self._login, timeout=(SECONDS[0], seconds), data=data, headers=headers, params=params
            )

        try:
            answer = send()
            if not isinstance(data, Iterator) and self._login.accepts(answer):
                answer = send()
        except RequestException as error:
            raise self._unreachable(error) from error
        if not answer.ok:
            raise self._refused(urlsplit(url).path.removeprefix("/v2/"), answer)
        return answer
