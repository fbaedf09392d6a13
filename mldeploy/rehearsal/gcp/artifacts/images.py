"""The images in a repository, as the registry took them in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.cloud import artifactregistry_v1 as ar
from google.protobuf import timestamp_pb2

from mldeploy.rehearsal.registry.door import Manifest


@dataclass
class Image:
    """One image. name: without the repository's. at: when it was pushed."""

    name: str
    manifest: Manifest
    at: timestamp_pb2.Timestamp
    tags: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its layers."""
        return sum(layer["size"] for layer in json.loads(self.manifest.text).get("layers", ()))


class Images:
    """All images of one repository."""

    def __init__(self) -> None:
        self._images: dict[tuple[str, str], Image] = {}

    def __iter__(self) -> Iterator[Image]:
        return iter(list(self._images.values()))

    def add(self, name: str, manifest: Manifest) -> None:
        """It has been pushed; a tag that another one had is its own now."""
        known = self._images.setdefault((name, manifest.digest), Image(name, manifest, now()))
        if manifest.tag:
            for image in self:
                if image.name == name and manifest.tag in image.tags:
                    image.tags.remove(manifest.tag)
            known.tags.append(manifest.tag)

    def digest(self, name: str, tag: str) -> str:
        """What a tag stands for; empty if for nothing."""
        return next((each.manifest.digest for each in self if each.name == name and tag in each.tags), "")

    def described(self, repository: ar.Repository) -> Iterator[ar.DockerImage]:
        """As the API says it."""
        for image in self:
            digest = image.manifest.digest
            yield ar.DockerImage(
                name=f"{repository.name}/dockerImages/{image.name}@{digest}",
                uri=f"{repository.registry_uri}/{image.name}@{digest}",
                tags=image.tags,
                image_size_bytes=image.size,
                upload_time=image.at,
                update_time=image.at,
                media_type=image.manifest.media_type,
            )


def now() -> timestamp_pb2.Timestamp:
    moment = timestamp_pb2.Timestamp()
    moment.GetCurrentTime()
    return moment
