"""Client of the Docker Hub API and of the token server of its registry."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from mldeploy.bounded_http import bounded_session, read_json
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.retry_policy import TRANSIENT_STATUSES, RegistryRetryPolicy, parse_retry_after
from mldeploy.providers.dockerhub.credentials import WHERE, HubCredentials
from mldeploy.providers.dockerhub.errors import AGAIN, TOKEN, HubCredentialsError, HubDeniedError, HubError, hub_errors

API, AUTH = "https://hub.docker.com", "https://auth.docker.io"
SERVICE = "registry.docker.io"
SECONDS = (5.0, 20.0)
"""To connect, and between two packets of an answer."""
RETRIES = RegistryRetryPolicy(
    total=4, backoff_factor=0.3, status_forcelist=TRANSIENT_STATUSES, allowed_methods=None, raise_on_status=False
)
"""Everything may be repeated: whatever is made has a name of its own, and what is removed twice is gone."""

Document = Mapping[str, object]


@dataclass(frozen=True)
class HubRequest:
    """operation: by the API's own name. path: below the host. where: the subject, for error messages."""

    operation: str
    method: str
    path: str
    where: str
    query: Mapping[str, str] | None = None
    body: Document | None = None


@dataclass(frozen=True)
class HubResponse:
    """status: HTTP's. document: empty where there is none. wait: the seconds after which one may ask again."""

    status: int
    document: Document
    wait: float = 0.0

    @property
    def reason(self) -> str:
        """Why not, in Docker Hub's words: its services spell it in several ways."""
        for name in ("message", "detail", "details", "text"):
            if isinstance(text := self.document.get(name), str) and text:
                return " ".join(text.split())
        return ""


class HubClient:
    """May be used from several threads. Constructing it sends no request."""

    def __init__(self, credentials: HubCredentials, endpoints: Endpoints) -> None:
        self.user = credentials.user
        self.token = credentials.token
        self._api = endpoints.url or API
        self._auth = endpoints.service("auth") or AUTH
        self._session = bounded_session(max_retries=RETRIES)
        if endpoints.ca_bundle is not None:
            self._session.verify = str(endpoints.ca_bundle)
            self._session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self._mutex = threading.Lock()
        self._bearer = _Bearer("")

    def verify_credentials(self) -> None:
        """Show the credentials. Raises HubCredentialsError, HubError."""
        self._renew_bearer(self._bearer)

    def send(self, request: HubRequest, expected: Collection[int] = ()) -> HubResponse:
        """What it answers, if that is a success or one of `expected`. A bearer that has expired is renewed once.

        Raises HubDeniedError, HubCredentialsError, HubError.
        """
        bearer = self._bearer
        response = self._send(self._api, request, bearer)
        if response.status == 401:
            response = self._send(self._api, request, self._renew_bearer(bearer))
        if response.status < 300 or response.status in expected:
            return response
        raise self._translate_response(request, response)

    def list_granted_actions(self, path: str) -> frozenset[str]:
        """What the registry would let us do with a repository, there or not: of `pull` and `push`.

        The server refuses a token with too few permissions instead of reducing the scope: ask again with fewer actions.
        Standard: distribution, "Token authentication". Raises HubCredentialsError, HubDeniedError, HubError.
        """
        for actions in ("pull,push", "pull"):
            query = {"service": SERVICE, "scope": f"repository:{path}:{actions}"}
            request = HubRequest("RegistryToken", "GET", "/token", f"registry, {path}", query)
            response = self._send(self._auth, request, HTTPBasicAuth(self.user, self.token.reveal()))
            if response.status < 300:
                token = response.document.get("token") or response.document.get("access_token")
                return frozenset(_parse_actions(str(token or ""), path, request.where))
            if response.status not in (401, 403) or "insufficient scope" not in response.reason.lower():
                raise self._translate_response(request, response)
        return frozenset()

    def _renew_bearer(self, old: _Bearer) -> _Bearer:
        """One that is newer than `old`: several threads may find the same one refused."""
        with self._mutex:
            if self._bearer is old:
                body = {"identifier": self.user, "secret": self.token.reveal()}
                request = HubRequest("AuthCreateAccessToken", "POST", "/v2/auth/token", WHERE, body=body)
                response = self._send(self._api, request, None)
                if response.status >= 300:
                    raise self._translate_response(request, response)
                self._bearer = _Bearer(str(response.document.get("access_token") or ""))
            return self._bearer

    def _send(self, base: str, request: HubRequest, auth: AuthBase | None) -> HubResponse:
        url = f"{base}{request.path}"
        http_request = requests.Request(request.method, url, params=request.query, json=request.body, auth=auth)
        prepared = self._session.prepare_request(http_request)
        options = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        with hub_errors(request.where), self._session.send(prepared, timeout=SECONDS, **options) as response:
            return HubResponse(response.status_code, _parse_document(response), parse_retry_after(response.headers))

    def _translate_response(self, request: HubRequest, response: HubResponse) -> MldeployError:
        where, operation, reason = request.where, request.operation, response.reason
        if response.status == 401:
            reason = f": {reason}" if reason else ""
            what = f"Docker Hub does not accept the credentials of {self.user} ({operation}){reason}"
            return HubCredentialsError(where, what, TOKEN)
        if response.status == 403:
            return HubDeniedError(where, self.user, operation, reason)
        if response.status == 429:
            wait = f"; retry after {response.wait:.0f} s" if response.wait else ""
            return HubError(where, f"Docker Hub throttles the requests ({operation}){wait}", "Wait, and run it again.")
        todo = AGAIN if response.status >= 500 else ""
        return HubError(where, f"{operation}: {reason or 'no reason was given'} ({response.status})", todo)


class _Bearer(AuthBase):
    """Signs with an access token of ten minutes."""

    def __init__(self, text: str) -> None:
        self._secret = Secret(text)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request


def _parse_document(response: requests.Response) -> Document:
    try:
        document = read_json(response)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _parse_actions(token: str, path: str, where: str) -> list[str]:
    """The actions in a registry token. Raises HubError if the token cannot be parsed."""
    try:
        body = token.split(".")[1]
        access = json.loads(base64.urlsafe_b64decode(f"{body}==="))["access"]
        return [str(action) for each in access if each["name"] == path for action in each["actions"]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise HubError(where, "the registry's token does not say what it is good for", AGAIN) from error
