"""Who we are to Google Cloud: Application Default Credentials, or a stand-in's service account, and their tokens.

https://cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import google.auth
import requests
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.errors import CredentialsError, unaccepted
from mldeploy.providers.gcp.gcloud import Gcloud

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
GIVEN = "service_account"
"""The name that a stand-in's credentials have: the JSON of a service account's key."""
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
METADATA_ADDRESS = "169.254.169.254"
METADATA_SECONDS = 0.3
FLAVOR = {"Metadata-Flavor": "Google"}
"""What both sides say of themselves: https://cloud.google.com/compute/docs/metadata/overview"""
WHERE = "Google Cloud"
SECONDS = 20.0
RETRIES = Retry(
    total=4, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
"""Of a request for a token, which may be repeated."""


class TokenRequest(Request):
    """The SDK's own request, which would wait for two minutes."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = SECONDS,
        **options: Any,
    ) -> Any:
        return super().__call__(url, method, body, headers, timeout, **options)  # type: ignore[no-untyped-call]


class Identity:
    """Credentials, with a token that is renewed when it has to be. May be used from several threads.

    user: an e-mail address where the credentials tell one. project: what they say themselves, or empty.
    """

    def __init__(self, credentials: Credentials, project: str, ca_bundle: Path | None) -> None:
        self.credentials = credentials
        self.project = project
        session = requests.Session()
        session.mount("https://", HTTPAdapter(max_retries=RETRIES))
        if ca_bundle is not None:
            session.verify = str(ca_bundle)
            session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self.request = TokenRequest(session)
        self._mutex = threading.Lock()

    @property
    def user(self) -> str:
        for name in ("service_account_email", "account"):
            if found := str(getattr(self.credentials, name, "") or ""):
                return found
        return "the user of the Application Default Credentials"

    def token(self) -> Secret:
        """An access token that is good for some minutes at least. Raises CredentialsError, GcpError."""
        with self._mutex:
            if not self.credentials.valid:
                self._refresh()
            return Secret(str(self.credentials.token))

    def renew(self, refused: Secret) -> None:
        """Fetch another token for one that Google refused before its time; what somebody else has renewed stays."""
        with self._mutex:
            if self.credentials.token == refused.reveal():
                self._refresh()

    @property
    def expires(self) -> str:
        """When the token ends: ISO 8601, UTC; empty if nobody says."""
        moment = self.credentials.expiry
        return moment.replace(tzinfo=UTC).isoformat(timespec="seconds") if moment else ""

    def _refresh(self) -> None:
        try:
            self.credentials.refresh(self.request)
        except GoogleAuthError as error:
            raise unaccepted(WHERE, error) from error


def identify(gcloud: Gcloud, endpoints: Endpoints) -> Identity:
    """Find the credentials; they are not yet tried. Raises CredentialsError."""
    given = endpoints.credential(GIVEN)
    if given is not None:
        account = json.loads(given.reveal())
        credentials = service_account.Credentials.from_service_account_info(account, scopes=SCOPES)
        return Identity(credentials, str(account.get("project_id", "")), endpoints.ca_bundle)
    named = os.environ.get(FILE, "")
    if named and not Path(named).is_file():
        raise CredentialsError(WHERE, f"{FILE} names {named}, and there is no such file", "Correct or unset it.")
    if not named and not gcloud.credentials_file.is_file() and not _has_metadata_server():
        raise _nothing_found(gcloud)
    try:
        found, project = google.auth.default(scopes=SCOPES)
    except GoogleAuthError as error:
        raise unaccepted(WHERE, error) from error
    return Identity(found, project or "", endpoints.ca_bundle)


def _has_metadata_server() -> bool:
    """Whether this is a machine of Google, whose account can be asked for. The SDK alone would wait for seconds."""
    if os.environ.get("NO_GCE_CHECK") == "true":
        return False
    host = os.environ.get("GCE_METADATA_HOST") or os.environ.get("GCE_METADATA_IP") or METADATA_ADDRESS
    with requests.Session() as session:
        session.trust_env = False  # a proxy would answer in its place
        try:
            answer = session.get(f"http://{host}/", headers=FLAVOR, timeout=METADATA_SECONDS)
        except requests.RequestException:
            return False
        return answer.headers.get("Metadata-Flavor") == FLAVOR["Metadata-Flavor"]


def _nothing_found(gcloud: Gcloud) -> CredentialsError:
    what = (
        f"no credentials were found: not in the file that {FILE} names (it is not set), not in "
        f"{gcloud.credentials_file}, and this machine has no metadata server of Google's"
    )
    todo = f"Sign in (`gcloud auth application-default login`), or set {FILE} to a service account's key file."
    return CredentialsError(WHERE, what, todo)
