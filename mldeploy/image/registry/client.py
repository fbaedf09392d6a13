"""The client of a registry. Standard: OCI distribution spec 1.1, with Docker's token authentication.

The engine pushes; this client reads and deletes. One protocol for all clouds, instead of a library for each.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import requests
from requests.exceptions import RequestException

from mldeploy.bounded_http import bounded_session, innermost_reason, read_json
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.image.registry.access import RETRIES, SECONDS, RegistryAccess, RegistryAuth

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_PAGES = 1000
_NOT_ALLOWED = (401, 403, 405)
"""405: the registry has no deletion, or it is turned off (OCI distribution spec, "Deleting manifests")."""


@dataclass(frozen=True)
class RemoteImage:
    """An image in a registry. digest: of its manifest. config: of its configuration, equal on every machine.

    labels: of its configuration.
    """

    digest: str
    config: str
    labels: Mapping[str, str]


class RegistryClient:
    """A client of one registry. Not thread-safe. Proxies are used, except for this machine."""

    def __init__(self, access: RegistryAccess) -> None:
        self._address = access.address
        near = _is_near(access.address)
        self._base = f"{'http' if near else 'https'}://{access.address}/v2"
        self._session = bounded_session(max_retries=RETRIES)
        self._session.trust_env = not near
        self._login = RegistryAuth(access)
        self._session.headers["Accept"] = ", ".join(_MANIFESTS)

    def digest(self, repository: str, tag: str) -> str | None:
        """Return a tag's digest, or None if it does not exist. Raises RegistryError for any other response."""
        with self._request("HEAD", f"{repository}/manifests/{tag}") as answer:
            if answer is None:
                return None
            if digest := answer.headers.get("Docker-Content-Digest"):
                return str(digest)
        with self._request("GET", f"{repository}/manifests/{tag}") as answer:
            return None if answer is None else _digest(answer)

    def read_headers(self, repository: str, tag: str) -> Mapping[str, str]:
        """Return the headers of a HEAD request for a tag; empty if it does not exist. Raises RegistryError."""
        with self._request("HEAD", f"{repository}/manifests/{tag}") as answer:
            return answer.headers if answer is not None else {}

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return all tags of a repository; empty if it does not exist. Raises RegistryError."""
        tags: list[str] = []
        path = f"{repository}/tags/list"
        for _ in range(_PAGES):
            with self._request("GET", path) as answer:
                if answer is None:
                    return ()
                listed = _object(answer, self._address).get("tags")
                tags += map(str, listed if isinstance(listed, list) else ())
                following = answer.links.get("next", {}).get("url", "")
            if not following:
                return tuple(tags)
            # Relative or absolute; only its query is used, so that it leads to no other server.
            path = f"{repository}/tags/list?{urlsplit(following).query}"
        what = f"lists the tags of {repository} without end"
        raise RegistryError(self._address, what, "Check that it is a registry.")

    def delete(self, repository: str, digest: str) -> bool:
        """Delete an image with all its tags; also True if it does not exist.

        False if the registry, or these credentials, do not allow that. Raises RegistryError for any other response.
        """
        try:
            with self._answer("DELETE", f"{self._base}/{repository}/manifests/{digest}") as answer:
                if answer.ok or answer.status_code == 404:
                    return True
                if answer.status_code in _NOT_ALLOWED or _error_code(answer) == "UNSUPPORTED":
                    return False
                raise _response_error(self._address, f"{repository}/manifests/{digest}", answer)
        except RequestException as error:
            raise _unreachable_error(self._address, error) from error

    def image(self, repository: str, tag: str, platform: str = "") -> RemoteImage | None:
        """Return a tag's image, or None. Raises RegistryError.

        platform: which image of an index, by default its first one.
        """
        with self._request("GET", f"{repository}/manifests/{tag}") as answer:
            if answer is None:
                return None
            digest, manifest = _digest(answer), _object(answer, self._address)
        if listed := manifest.get("manifests"):
            manifest = self._manifest(repository, _of_platform(listed, platform, self._address))
        config = _text(_table(manifest, "config"), "digest")
        with self._request("GET", f"{repository}/blobs/{config}") as answer:
            if answer is None:
                raise RegistryError(self._address, f"{repository}:{tag} lacks its configuration", "Push it again.")
            labels = _table(_table(_object(answer, self._address), "config"), "Labels")
        return RemoteImage(digest, config, {name: str(value) for name, value in labels.items()})

    def _manifest(self, repository: str, digest: str) -> dict[str, object]:
        with self._request("GET", f"{repository}/manifests/{digest}") as answer:
            if answer is None:
                raise RegistryError(self._address, f"{repository} lacks {digest}, which its index names", "Push again.")
            return _object(answer, self._address)

    @contextmanager
    def _request(self, method: str, path: str) -> Iterator[requests.Response | None]:
        """An answer of 2xx, or None for 404."""
        try:
            with self._answer(method, f"{self._base}/{path}") as answer:
                if answer.status_code != 404 and not answer.ok:
                    raise _response_error(self._address, path, answer)
                yield None if answer.status_code == 404 else answer
        except RequestException as error:
            raise _unreachable_error(self._address, error) from error

    def _answer(self, method: str, url: str) -> requests.Response:
        answer = self._session.request(method, url, auth=self._login, timeout=SECONDS)
        if not self._login.accepts(answer):
            return answer
        answer.close()
        return self._session.request(method, url, auth=self._login, timeout=SECONDS)

    def _unreachable(self, error: RequestException) -> RegistryError:
        return _unreachable_error(self._address, error)

    def _refused(self, path: str, answer: requests.Response) -> RegistryError:
        return _response_error(self._address, path, answer)

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
    """Compute the digest of the manifest in a response."""
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def _of_platform(listed: object, platform: str, address: str) -> str:
    """Return the digest of an index's manifest for a platform; "": of the first that is an image."""
    for each in listed if isinstance(listed, list) else []:
        about = each.get("platform") or {}
        if not platform and about.get("os") != "unknown":  # which is an attestation
            return str(each["digest"])
        parts = (about.get("os"), about.get("architecture"), about.get("variant"))
        if all(ours == theirs for ours, theirs in zip(platform.split("/"), parts, strict=False) if theirs):
            return str(each["digest"])
    raise RegistryError(address, f"holds nothing for {platform} under this tag", "Remove that tag from the registry.")


def _object(answer: requests.Response, address: str) -> dict[str, object]:
    try:
        document = read_json(answer)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RegistryError(address, "did not return a manifest", "Check that it is a registry.")
    return document


def _table(document: Mapping[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, object], name: str) -> str:
    return str(document.get(name) or "")


def _response_error(address: str, path: str, answer: requests.Response) -> RegistryError:
    """Return the error with the registry's message (OCI distribution spec, "Error codes")."""
    what = f"answers {answer.status_code} {answer.reason} to {path}"
    if message := _error_message(answer):
        what = f"{what}: {message}"
    todo = "The credentials may not read there." if answer.status_code in (401, 403) else "Try again later."
    return RegistryError(address, what, todo)


def _unreachable_error(address: str, error: RequestException) -> RegistryError:
    todo = "Check the network and the proxy; then run the command again: it resumes."
    return RegistryError(address, f"does not answer: {innermost_reason(error)}", todo)


def _error_code(answer: requests.Response) -> str:
    """Return the code of an error response, such as "UNSUPPORTED"; "" if there is none."""
    return str(_first_error(answer).get("code") or "")


def _error_message(answer: requests.Response) -> str:
    """Return the message of an error response; "" without a body, as after HEAD."""
    first = _first_error(answer)
    return str(first.get("message") or first.get("code") or "")


def _first_error(answer: requests.Response) -> Mapping[str, object]:
    try:
        document = cast("dict[str, list[object]]", read_json(answer))
        first = document["errors"][0]
    except (ValueError, LookupError, TypeError):
        return {}
    return first if isinstance(first, dict) else {}


class RegistryError(MldeployError):
    """A registry returned an error, denied access, or holds another image."""

    code = ExitCode.REMOTE


class DockerConfigError(MldeployError):
    """Docker's configuration file or credential helper cannot be used."""

    code = ExitCode.CONFIG
