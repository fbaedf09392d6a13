"""What is asked of Google over REST, by hand: its libraries for these services take over a second to be imported."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from google.api_core import exceptions as api
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.errors import GcpError, gcp_errors

SECONDS = (5.0, 20.0)
RETRIES = Retry(
    total=5, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
"""All that is sent only asks, and may be repeated."""

Document = Mapping[str, object]


class Rest:
    """One service. base: its URL. where: for what is said of it. It may be used from several threads."""

    def __init__(self, account: Account, base: str, where: str) -> None:
        self._account = account
        self._base = base
        self._where = where
        self._session = requests.Session()
        if account.endpoints.ca_bundle is not None:
            self._session.verify = str(account.endpoints.ca_bundle)
            self._session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self._session.mount("https://", HTTPAdapter(max_retries=RETRIES))

    def get(self, path: str, permission: str, query: Mapping[str, str] | None = None) -> Document:
        """Raises DeniedError, DisabledError, CredentialsError, GcpError. permission: what the call needs."""
        return self._answered("GET", path, permission, query, None)

    def post(self, path: str, permission: str, body: Document) -> Document:
        """The same, with a question in JSON."""
        return self._answered("POST", path, permission, None, body)

    def _answered(
        self, method: str, path: str, permission: str, query: Mapping[str, str] | None, body: Document | None
    ) -> Document:
        """A token that is refused before its time is renewed once."""
        identity = self._account.identity
        request = requests.Request(method, f"{self._base}{path}", params=query, json=body)
        token = identity.token()
        answer = self._sent(request, token)
        if answer.status_code == 401:
            identity.renew(token)
            answer = self._sent(request, identity.token())
        with gcp_errors(self._where, permission):
            if not answer.ok:
                raise api.from_http_response(answer)
        found = answer.json()
        return found if isinstance(found, dict) else {}

    def _sent(self, request: requests.Request, token: Secret) -> requests.Response:
        request.headers = {"Authorization": f"Bearer {token.reveal()}"}
        prepared = self._session.prepare_request(request)
        options = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        try:
            return self._session.send(prepared, timeout=SECONDS, **options)
        except requests.RequestException as error:
            todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
            raise GcpError(self._where, f"Google does not answer: {' '.join(str(error).split())}", todo) from error
