"""Asking a registry what it holds. Standard: OCI distribution spec 1.1; tokens as Docker's registries hand them out.

Reads only: the engine pushes. There is a library for each cloud's own API, but this one protocol answers the question
for all of them.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.errors import RegistryError
from mldeploy.image.registry.login import RETRIES, SECONDS, Login

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True)
class Held:
    """An image that a registry holds. digest: its manifest's. config: its configuration's, the same on every machine.

    labels: what its configuration says of it.
    """

    digest: str
    config: str
    labels: Mapping[str, str]


class Registry:
    """One registry, for reading. Not to be shared between threads. Proxies are used, but not for this machine."""

    def __init__(self, access: RegistryAccess) -> None:
        self._address = access.address
        near = _is_near(access.address)
        self._base = f"{'http' if near else 'https'}://{access.address}/v2"
        self._session = requests.Session()
        self._session.trust_env = not near
        self._login = Login(access)
        self._session.headers["Accept"] = ", ".join(_MANIFESTS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRIES))

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest of what a tag names, or None if there is no such tag. Raises RegistryError on any doubt."""
        with self._asked("HEAD", f"{repository}/manifests/{tag}") as answer:
            if answer is None:
                return None
            if found := answer.headers.get("Docker-Content-Digest"):
                return str(found)
        with self._asked("GET", f"{repository}/manifests/{tag}") as answer:
            return None if answer is None else _digest(answer)

    def told(self, repository: str, tag: str) -> Mapping[str, str]:
        """The headers of the answer to whoever asks for a tag; none if there is no such tag. Raises RegistryError."""
        with self._asked("HEAD", f"{repository}/manifests/{tag}") as answer:
            return answer.headers if answer is not None else {}

    def image(self, repository: str, tag: str, platform: str) -> Held | None:
        """What a tag names, or None. Of an index, the image for the platform. Raises RegistryError on any doubt."""
        with self._asked("GET", f"{repository}/manifests/{tag}") as answer:
            if answer is None:
                return None
            digest, manifest = _digest(answer), _object(answer, self._address)
        if listed := manifest.get("manifests"):
            manifest = self._manifest(repository, _of_platform(listed, platform, self._address))
        config = _text(_table(manifest, "config"), "digest")
        with self._asked("GET", f"{repository}/blobs/{config}") as answer:
            if answer is None:
                raise RegistryError(self._address, f"{repository}:{tag} lacks its configuration", "Push it again.")
            labels = _table(_table(_object(answer, self._address), "config"), "Labels")
        return Held(digest, config, {name: str(value) for name, value in labels.items()})

    def _manifest(self, repository: str, digest: str) -> dict[str, object]:
        with self._asked("GET", f"{repository}/manifests/{digest}") as answer:
            if answer is None:
                raise RegistryError(self._address, f"{repository} lacks {digest}, which its index names", "Push again.")
            return _object(answer, self._address)

    @contextmanager
    def _asked(self, method: str, path: str) -> Iterator[requests.Response | None]:
        """An answer of 2xx, or None for 404."""
        try:
            with self._answer(method, f"{self._base}/{path}") as answer:
                if answer.status_code != 404 and not answer.ok:
                    raise _refused(self._address, path, answer)
                yield None if answer.status_code == 404 else answer
        except RequestException as error:
            todo = "Check the network and the proxy; then run the command again: it resumes."
            raise RegistryError(self._address, f"does not answer: {_reason(error)}", todo) from error

    def _answer(self, method: str, url: str) -> requests.Response:
        answer = self._session.request(method, url, auth=self._login, timeout=SECONDS)
        if not self._login.accepts(answer):
            return answer
        answer.close()
        return self._session.request(method, url, auth=self._login, timeout=SECONDS)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _is_near(address: str) -> bool:
    """On this machine, where the engine, too, speaks to a registry without TLS."""
    host = address.rpartition(":")[0] or address
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _digest(answer: requests.Response) -> str:
    """Of the manifest that was answered, computed rather than believed."""
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def _of_platform(listed: object, platform: str, address: str) -> str:
    """The digest of an index's manifest for a platform."""
    for each in listed if isinstance(listed, list) else []:
        about = each.get("platform") or {}
        parts = (about.get("os"), about.get("architecture"), about.get("variant"))
        if all(ours == theirs for ours, theirs in zip(platform.split("/"), parts, strict=False) if theirs):
            return str(each["digest"])
    raise RegistryError(address, f"holds nothing for {platform} under this tag", "Remove that tag from the registry.")


def _object(answer: requests.Response, address: str) -> dict[str, object]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RegistryError(address, "answers something that is no manifest", "See whether it is a registry at all.")
    return found


def _table(document: Mapping[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, object], name: str) -> str:
    return str(document.get(name) or "")


def _refused(address: str, path: str, answer: requests.Response) -> RegistryError:
    """The registry's own words, where it has some (OCI distribution spec, "Error codes")."""
    what = f"answers {answer.status_code} {answer.reason} to {path}"
    if said := _said(answer):
        what = f"{what}: {said}"
    todo = "The credentials may not read there." if answer.status_code in (401, 403) else "Try again later."
    return RegistryError(address, what, todo)


def _said(answer: requests.Response) -> str:
    """Empty where there is nothing, as after HEAD."""
    try:
        first = answer.json()["errors"][0]
        return str(first.get("message") or first.get("code") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _reason(error: RequestException) -> str:
    return " ".join(str(error).split())
