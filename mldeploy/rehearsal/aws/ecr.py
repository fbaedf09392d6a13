"""ECR with a real registry."""

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

from mldeploy.rehearsal.registry.gateway import Manifest, RegistryPasswords
from mldeploy.rehearsal.registry.program import RegistryProgram

VALIDITY = timedelta(hours=12)
"""Validity of a login, as reported. Standard: ECR, "Private registry authentication"."""


def create_passwords() -> RegistryPasswords:
    """Create ECR's user and passwords. The user is always `AWS`."""
    wrong = "Your authorization token is invalid. Reauthenticate and try again."
    return RegistryPasswords("AWS", wrong, "not authorized to perform: ecr:PutImage on repository")


class EcrRegistryRepositories:
    """`RepositoryDirectory` of ECR."""

    def __init__(self, region: str) -> None:
        self._region = region

    def missing(self, repository: str) -> str:
        if repository in self._backend.repositories:
            return ""
        account = DEFAULT_ACCOUNT_ID
        return f"The repository with name '{repository}' does not exist in the registry with id '{account}'"

    def keeps(self, repository: str, tag: str) -> str:
        repo = self._backend.repositories[repository]
        if not repo.is_tag_immutable():
            return ""
        return next((image.get_image_digest() for image in repo.images if tag in image.image_tags), "")

    def pushed(self, manifest: Manifest) -> None:
        repository = self._backend.repositories[manifest.repository]
        known = next((each for each in repository.images if each.get_image_digest() == manifest.digest), None)
        if known is None:
            known = StandInEcrImage(DEFAULT_ACCOUNT_ID, "", manifest.text, repository.name, manifest.media_type)
            known._image_digest = manifest.digest  # noqa: SLF001 - moto's digest is of the layers' names
            known.image_tags = []
            repository.images.append(known)
        if manifest.tag and manifest.tag not in known.image_tags:
            for other in repository.images:
                other.remove_tag(manifest.tag)
            known.update_tag(manifest.tag)

    @property
    def _backend(self) -> ECRBackend:
        return ecr_backends[DEFAULT_ACCOUNT_ID][self._region]


class StandInEcrImage(Image):
    """An image with its size."""

    def get_image_size_in_bytes(self) -> int | None:
        layers = json.loads(self.image_manifest).get("layers")
        return None if layers is None else sum(layer["size"] for layer in layers)


class RehearsedECR(ECRBackend):
    """moto's backend, with repositories in a real registry."""

    registry: ClassVar[RegistryProgram]
    address: ClassVar[str]
    """HOST:PORT of the registry."""

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
        repo = self.repositories.get(repository)
        return {image.get_image_digest() for image in repo.images} if repo else set()


class RehearsedECRResponse(ECRResponse):
    """moto's responses, with a secret password that expires."""

    passwords: ClassVar[RegistryPasswords]

    def get_authorization_token(self) -> ActionResult:
        authorization = {
            "authorizationToken": b64encode(f"{self.passwords.user}:{self.passwords.pusher}".encode()).decode(),
            "expiresAt": datetime.now(UTC) + VALIDITY,
            "proxyEndpoint": f"http://{RehearsedECR.address}",
        }
        return ActionResult({"authorizationData": [authorization]})


def has_image(region: str, repository: str, reference: str) -> bool:
    """Whether an image exists. The engine does not check the registry for images that it has."""
    repo = ecr_backends[DEFAULT_ACCOUNT_ID][region].repositories.get(repository)
    images = repo.images if repo else ()
    return any(reference in (image.get_image_digest(), *image.image_tags) for image in images)


def clear() -> None:
    """Delete all images. Stock moto has no registry."""
    if ecr_backends.backend is RehearsedECR:
        RehearsedECR.registry.forget()


def install(registry: RegistryProgram, passwords: RegistryPasswords, address: str) -> None:
    """Install this backend in moto, for this process."""
    RehearsedECR.registry, RehearsedECR.address = registry, address
    RehearsedECRResponse.passwords = passwords
    ecr_backends.backend = RehearsedECR
