"""Credentials for registries, and image repositories."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import RequestException

from mldeploy.bounded_http import bounded_session, read_json
from mldeploy.config.secret import Secret
from mldeploy.image.registry.retry_policy import TRANSIENT_STATUSES, RegistryRetryPolicy


@dataclass(frozen=True)
class RegistryAccess:
    """Short-lived credentials for one registry. Request them again before each long call.

    address: host, with a non-default port. user and password: empty for anonymous access.
    expires: ISO 8601, UTC; empty if they do not expire.
    """

    address: str
    user: str = ""
    password: Secret = Secret("")  # noqa: RUF009 - it cannot be changed
    expires: str = ""


@dataclass(frozen=True)
class ImageRepository:
    """The repository of an app's images. name: `address/path`, without a tag. enter: requests new credentials."""

    name: str
    enter: Callable[[], RegistryAccess]

    @property
    def path(self) -> str:
        """The name within the registry."""
        return self.name.partition("/")[2]


RETRIES = RegistryRetryPolicy(total=4, backoff_factor=0.2, status_forcelist=TRANSIENT_STATUSES, raise_on_status=False)
SECONDS = (5.0, 30.0)
"""Timeouts to connect and to read."""

_REALM = re.compile(r'Bearer\s+realm="(?P<url>[^"]+)"(?P<rest>.*)', re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class RegistryAuth(AuthBase):
    """Signs requests. Standard: https://distribution.github.io/distribution/spec/auth/token/"""

    def __init__(self, access: RegistryAccess) -> None:
        self._basic = HTTPBasicAuth(access.user, access.password.reveal()) if access.user else None
        self._token = ""
        self._scopes: set[str] = set()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            return request
        return self._basic(request) if self._basic else request

    def accepts(self, answer: requests.Response) -> bool:
        """Request a token if the response requires one, once for each scope. True: repeat the request.

        False if the token endpoint denies a token.
        """
        realm = _REALM.fullmatch(answer.headers.get("Www-Authenticate", ""))
        if answer.status_code != 401 or realm is None:
            return False
        parameters = {name: value for name, value in _PARAMETER.findall(realm["rest"]) if name in ("service", "scope")}
        scope = parameters.get("scope", "")
        if self._token and scope in self._scopes:
            return False
        self._scopes.add(scope)
        with (
            bounded_session(max_retries=RETRIES) as session,
            session.get(realm["url"], params=parameters, auth=self._basic, timeout=SECONDS) as response,
        ):
            if response.status_code in (401, 403):
                return False
            response.raise_for_status()
            token_document = _object(response)
        self._token = str(token_document.get("token") or token_document.get("access_token") or "")
        return bool(self._token)


def _object(answer: requests.Response) -> dict[str, object]:
    """Raises RequestException if it is no JSON object."""
    try:
        document = read_json(answer)
    except ValueError as error:
        raise RequestException(f"the token endpoint does not return JSON: {error}") from error
    return document if isinstance(document, dict) else {}
