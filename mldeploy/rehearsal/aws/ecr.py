"""ECR, whose repositories are those of a real registry."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ecr import urls
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends
from moto.ecr.responses import ECRResponse

from mldeploy.rehearsal.registry.door import Manifest, Passwords
from mldeploy.rehearsal.registry.program import RegistryProgram

VALIDITY = timedelta(hours=12)
"""How long a login is said to be good. Standard: ECR, "Private registry authentication"."""


def passwords() -> Passwords:
    """The ones of ECR. Its user is always called so."""
    wrong = "Your authorization token is invalid. Reauthenticate and try again."
    return Passwords("AWS", wrong, "not authorized to perform: ecr:PutImage on repository")


class Repositories:
    """What the registry's door asks ECR. region: the one that is played."""

    def __init__(self, region: str) -> None:
        self._region = region

    def missing(self, repository: str) -> str:
        if repository in self._backend.repositories:
            return ""
        account = DEFAULT_ACCOUNT_ID
        return f"The repository with name '{repository}' does not exist in the registry with id '{account}'"

    def keeps(self, repository: str, tag: str) -> str:
        found = self._backend.repositories[repository]
        if not found.is_tag_immutable():
            return ""
        return next((image.get_image_digest() for image in found.images if tag in image.image_tags), "")

    def pushed(self, manifest: Manifest) -> None:
        repository = self._backend.repositories[manifest.repository]
        known = next((each for each in repository.images if each.get_image_digest() == manifest.digest), None)
        if known is None:
            known = PushedImage(DEFAULT_ACCOUNT_ID, "", manifest.text, repository.name, manifest.media_type)
            known._image_digest = manifest.digest  # noqa: SLF001 - its own would be that of the layers' names
            known.image_tags = []
            repository.images.append(known)
        if manifest.tag and manifest.tag not in known.image_tags:
            for other in repository.images:
                other.remove_tag(manifest.tag)
            known.update_tag(manifest.tag)

    @property
    def _backend(self) -> ECRBackend:
        return ecr_backends[DEFAULT_ACCOUNT_ID][self._region]


class PushedImage(Image):
    """An image that says how large it is."""

    def get_image_size_in_bytes(self) -> int | None:
        layers = json.loads(self.image_manifest).get("layers")
        return None if layers is None else sum(layer["size"] for layer in layers)


class RehearsedECR(ECRBackend):
    """moto's, with repositories that live where something real can be pushed to and pulled from."""

    registry: ClassVar[RegistryProgram]
    address: ClassVar[str]
    """HOST:PORT of the registry's door."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths={"{0}/$": RehearsedECRResponse.dispatch})

    def create_repository(self, repository_name: str, *args: object, **kwargs: object) -> Repository:
        made = super().create_repository(repository_name, *args, **kwargs)  # type: ignore[arg-type]
        made.uri = f"{self.address}/{repository_name}"
        return made

    def delete_repository(
        self, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> Repository:
        gone = super().delete_repository(repository_name, registry_id, force)
        self.registry.forget(repository_name)
        return gone

    def batch_delete_image(
        self,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> dict[str, object]:
        before = self._digests(repository_name)
        answer = super().batch_delete_image(repository_name, registry_id, image_ids)
        for digest in before - self._digests(repository_name):
            self.registry.delete(repository_name, digest)
        return answer

    def _digests(self, repository: str) -> set[str]:
        found = self.repositories.get(repository)
        return {image.get_image_digest() for image in found.images} if found else set()


class RehearsedECRResponse(ECRResponse):
    """moto's, with a password that is a secret, and that ends."""

    passwords: ClassVar[Passwords]

    def get_authorization_token(self) -> ActionResult:
        authorization = {
            "authorizationToken": b64encode(f"{self.passwords.user}:{self.passwords.pusher}".encode()).decode(),
            "expiresAt": datetime.now(UTC) + VALIDITY,
            "proxyEndpoint": f"http://{RehearsedECR.address}",
        }
        return ActionResult({"authorizationData": [authorization]})


def holds(region: str, repository: str, reference: str) -> bool:
    """There is an image under this digest or tag. An engine that has it already does not ask the registry for it."""
    found = ecr_backends[DEFAULT_ACCOUNT_ID][region].repositories.get(repository)
    images = found.images if found else ()
    return any(reference in (image.get_image_digest(), *image.image_tags) for image in images)


def clear() -> None:
    """Remove every image. Where moto plays as it is, there is no registry."""
    if ecr_backends.backend is RehearsedECR:
        RehearsedECR.registry.forget()


def install(registry: RegistryProgram, passwords: Passwords, address: str) -> None:
    """Let moto play ECR with this registry. Once for each process: moto's backends are the process's."""
    RehearsedECR.registry, RehearsedECR.address = registry, address
    RehearsedECRResponse.passwords = passwords
    ecr_backends.backend = RehearsedECR
