"""Docker Hub's API, and the server that gives out tokens for its registry, as one client."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.core.errors import MldeployError
from mldeploy.image.registry.patience import PASSING, Patience, asked
from mldeploy.providers.dockerhub.credentials import WHERE, Credentials
from mldeploy.providers.dockerhub.errors import AGAIN, TOKEN, CredentialsError, DeniedError, HubError

API, AUTH = "https://hub.docker.com", "https://auth.docker.io"
SERVICE = "registry.docker.io"
SECONDS = (5.0, 20.0)
"""To connect, and between two packets of an answer."""
RETRIES = Patience(total=4, backoff_factor=0.3, status_forcelist=PASSING, allowed_methods=None, raise_on_status=False)
"""Everything may be repeated: whatever is made has a name of its own, and what is removed twice is gone."""

Document = Mapping[str, object]


@dataclass(frozen=True)
class Request:
    """operation: by the API's own name. path: below the host. where: what it is about, for what is said of it."""

    operation: str
    method: str
    path: str
    where: str
    query: Mapping[str, str] | None = None
    body: Document | None = None


@dataclass(frozen=True)
class Reply:
    """status: HTTP's. document: empty where there is none. wait: the seconds after which one may ask again."""

    status: int
    document: Document
    wait: float = 0.0

    @property
    def said(self) -> str:
        """Why not, in Docker Hub's words: its services spell it in several ways."""
        for name in ("message", "detail", "details", "text"):
            if isinstance(text := self.document.get(name), str) and text:
                return " ".join(text.split())
        return ""


class Hub:
    """May be used from several threads. Makes no call before it is asked."""

    def __init__(self, credentials: Credentials, endpoints: Endpoints) -> None:
        self.user = credentials.user
        self.token = credentials.token
        self._api = endpoints.url or API
        self._auth = endpoints.service("auth") or AUTH
        self._session = requests.Session()
        if endpoints.ca_bundle is not None:
            self._session.verify = str(endpoints.ca_bundle)
            self._session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self._session.mount("https://", HTTPAdapter(max_retries=RETRIES))
        self._mutex = threading.Lock()
        self._bearer = _Bearer("")

    def prove(self) -> None:
        """Show the credentials. Raises CredentialsError, HubError."""
        self._renewed(self._bearer)

    def ask(self, request: Request, expected: Collection[int] = ()) -> Reply:
        """What it answers, if that is a success or one of `expected`. A bearer that has expired is renewed once.

        Raises DeniedError, CredentialsError, HubError.
        """
        bearer = self._bearer
        reply = self._sent(self._api, request, bearer)
        if reply.status == 401:
            reply = self._sent(self._api, request, self._renewed(bearer))
        if reply.status < 300 or reply.status in expected:
            return reply
        raise self._refusal(request, reply)

    def granted(self, path: str) -> frozenset[str]:
        """What the registry would let us do with a repository, there or not: of `pull` and `push`.

        A token with fewer permissions than are asked for is refused, rather than given fewer rights: it is asked again.
        Standard: distribution, "Token authentication". Raises CredentialsError, DeniedError, HubError.
        """
        for actions in ("pull,push", "pull"):
            query = {"service": SERVICE, "scope": f"repository:{path}:{actions}"}
            request = Request("RegistryToken", "GET", "/token", f"registry, {path}", query)
            reply = self._sent(self._auth, request, HTTPBasicAuth(self.user, self.token.reveal()))
            if reply.status < 300:
                token = reply.document.get("token") or reply.document.get("access_token")
                return frozenset(_actions(str(token or ""), path, request.where))
            if reply.status not in (401, 403) or "insufficient scope" not in reply.said.lower():
                raise self._refusal(request, reply)
        return frozenset()

    def _renewed(self, old: _Bearer) -> _Bearer:
        """One that is newer than `old`: several threads may find the same one refused."""
        with self._mutex:
            if self._bearer is old:
                body = {"identifier": self.user, "secret": self.token.reveal()}
                request = Request("AuthCreateAccessToken", "POST", "/v2/auth/token", WHERE, body=body)
                reply = self._sent(self._api, request, None)
                if reply.status >= 300:
                    raise self._refusal(request, reply)
                self._bearer = _Bearer(str(reply.document.get("access_token") or ""))
            return self._bearer

    def _sent(self, base: str, request: Request, auth: AuthBase | None) -> Reply:
        url = f"{base}{request.path}"
        made = requests.Request(request.method, url, params=request.query, json=request.body, auth=auth)
        prepared = self._session.prepare_request(made)
        options = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        try:
            with self._session.send(prepared, timeout=SECONDS, **options) as answer:
                return Reply(answer.status_code, _document(answer), asked(answer.headers))
        except requests.exceptions.SSLError as error:
            todo = "Where something inspects TLS on the way, name its certificates in REQUESTS_CA_BUNDLE."
            raise HubError(
                request.where, f"the connection to Docker Hub is not trusted: {_line(error)}", todo
            ) from error
        except requests.RequestException as error:
            todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
            raise HubError(request.where, f"Docker Hub does not answer: {_line(error)}", todo) from error

    def _refusal(self, request: Request, reply: Reply) -> MldeployError:
        where, operation, said = request.where, request.operation, reply.said
        if reply.status == 401:
            reason = f": {said}" if said else ""
            what = f"Docker Hub does not accept the credentials of {self.user} ({operation}){reason}"
            return CredentialsError(where, what, TOKEN)
        if reply.status == 403:
            return DeniedError(where, self.user, operation, said)
        if reply.status == 429:
            wait = f", and wants to be left alone for {reply.wait:.0f} s" if reply.wait else ""
            return HubError(where, f"Docker Hub is asked too often ({operation}){wait}", "Wait, and run it again.")
        todo = AGAIN if reply.status >= 500 else ""
        return HubError(where, f"{operation}: {said or 'no reason was given'} ({reply.status})", todo)


class _Bearer(AuthBase):
    """Signs with an access token of ten minutes."""

    def __init__(self, text: str) -> None:
        self._secret = Secret(text)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request


def _document(answer: requests.Response) -> Document:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _actions(token: str, path: str, where: str) -> list[str]:
    """What stands in a registry's token. Nobody else can read it for certain, so that a doubt is said."""
    try:
        body = token.split(".")[1]
        access = json.loads(base64.urlsafe_b64decode(f"{body}==="))["access"]
        return [str(action) for each in access if each["name"] == path for action in each["actions"]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise HubError(where, "the registry's token does not say what it is good for", AGAIN) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
