"""How a registry is told who asks: Basic credentials, or a token that it wants fetched with them."""

from __future__ import annotations

import re

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from mldeploy.image.registry.access import RegistryAccess

SECONDS = (5.0, 30.0)
"""To connect, and between two packets of an answer."""

_REALM = re.compile(r'Bearer\s+realm="(?P<url>[^"]+)"(?P<rest>.*)', re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Login(AuthBase):
    """Signs requests. Standard: https://distribution.github.io/distribution/spec/auth/token/"""

    def __init__(self, access: RegistryAccess) -> None:
        self._basic = HTTPBasicAuth(access.user, access.password.reveal()) if access.user else None
        self._token = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            return request
        return self._basic(request) if self._basic else request

    def accepts(self, answer: requests.Response) -> bool:
        """If the answer asks for a token, fetch it, once. True: what was asked is to be asked again."""
        realm = _REALM.fullmatch(answer.headers.get("Www-Authenticate", ""))
        if answer.status_code != 401 or realm is None or self._token:
            return False
        wanted = {name: value for name, value in _PARAMETER.findall(realm["rest"]) if name in ("service", "scope")}
        with requests.get(realm["url"], wanted, auth=self._basic, timeout=SECONDS) as told:
            told.raise_for_status()
            found = told.json()
        self._token = str(found.get("token") or found.get("access_token") or "")
        return bool(self._token)
