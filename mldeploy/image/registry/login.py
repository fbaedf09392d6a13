"""How a registry is told who asks: Basic credentials, or a token that it wants fetched with them."""

from __future__ import annotations

import re

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.patience import PASSING, Patience

RETRIES = Patience(total=4, backoff_factor=0.2, status_forcelist=PASSING, raise_on_status=False)
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
        """If the answer asks for a token, fetch it, once. True: what was asked is to be asked again.

        Who gives out no token for these credentials leaves it at the answer, which says no.
        """
        realm = _REALM.fullmatch(answer.headers.get("Www-Authenticate", ""))
        if answer.status_code != 401 or realm is None or self._token:
            return False
        wanted = {name: value for name, value in _PARAMETER.findall(realm["rest"]) if name in ("service", "scope")}
        with _session() as session, session.get(realm["url"], params=wanted, auth=self._basic, timeout=SECONDS) as told:
            if told.status_code in (401, 403):
                return False
            told.raise_for_status()
            found = told.json()
        self._token = str(found.get("token") or found.get("access_token") or "")
        return bool(self._token)


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
    return session
