"""Google credentials: Application Default Credentials, or a stand-in's service account, and their tokens.

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
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from urllib3.util import Retry

from mldeploy.bounded_http import bounded_session
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.errors import GcpCredentialsError, gcp_errors
from mldeploy.providers.gcp.gcloud import Gcloud

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
STAND_IN_CREDENTIAL = "service_account"
"""The name of a stand-in's credentials in `Endpoints`: the JSON of a service account key."""
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
METADATA_ADDRESS = "169.254.169.254"
METADATA_SECONDS = 0.3
FLAVOR = {"Metadata-Flavor": "Google"}
"""Sent by client and server: https://cloud.google.com/compute/docs/metadata/overview"""
WHERE = "Google Cloud"
SECONDS = 20.0
RETRIES = Retry(
    total=4, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
"""For token requests, which may be repeated."""


class TokenRequest(Request):
    """The SDK's request with a shorter timeout than its two minutes."""

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


class GoogleCredentials:
    """Credentials that renew their token. Thread-safe.

    user: the e-mail address, if the credentials contain it. project: the project in the credentials, or empty.
    """

    def __init__(self, credentials: Credentials, project: str, ca_bundle: Path | None) -> None:
        self.credentials = credentials
        self.project = project
        session = bounded_session(max_retries=RETRIES)
        if ca_bundle is not None:
            session.verify = str(ca_bundle)
            session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self.request = TokenRequest(session)
        self._mutex = threading.Lock()

    @property
    def user(self) -> str:
        for name in ("service_account_email", "account"):
            if default_credentials := str(getattr(self.credentials, name, "") or ""):
                return default_credentials
        return "the user of the Application Default Credentials"

    @property
    def quota_project(self) -> str:
        """The project whose quota is used; empty for the project of the called resource."""
        return str(getattr(self.credentials, "quota_project_id", "") or "")

    def token(self) -> Secret:
        """An access token that is valid for some minutes at least. Raises GcpCredentialsError, GcpError."""
        with self._mutex:
            if not self.credentials.valid:
                self._refresh()
            return Secret(str(self.credentials.token))

    def renew(self, refused: Secret) -> None:
        """Replace a token that Google rejected, unless another thread has replaced it."""
        with self._mutex:
            if self.credentials.token == refused.reveal():
                self._refresh()

    @property
    def expires(self) -> str:
        """The expiry of the token: ISO 8601, UTC; empty if unknown."""
        moment = self.credentials.expiry
        return moment.replace(tzinfo=UTC).isoformat(timespec="seconds") if moment else ""

    def _refresh(self) -> None:
        with gcp_errors(WHERE):
            self.credentials.refresh(self.request)


def load_credentials(gcloud: Gcloud, endpoints: Endpoints) -> GoogleCredentials:
    """Load the credentials without a token request. Raises GcpCredentialsError."""
    given = endpoints.credential(STAND_IN_CREDENTIAL)
    if given is not None:
        account = json.loads(given.reveal())
        key = service_account.Credentials.from_service_account_info(account, scopes=SCOPES)
        credentials = key.with_quota_project(account.get("quota_project_id"))
        return GoogleCredentials(credentials, str(account.get("project_id", "")), endpoints.ca_bundle)
    named = os.environ.get(FILE, "")
    if named and not Path(named).is_file():
        raise GcpCredentialsError(WHERE, f"{FILE} is {named}, which does not exist", "Correct or unset it.")
    if not named and not gcloud.credentials_file.is_file() and not _has_metadata_server():
        raise _no_credentials_error(gcloud)
    with gcp_errors(WHERE):
        default_credentials, project = google.auth.default(scopes=SCOPES)
    return GoogleCredentials(default_credentials, project or "", endpoints.ca_bundle)


def _has_metadata_server() -> bool:
    """Whether this machine runs on Google Cloud. Without this check the SDK waits for seconds on other machines."""
    if os.environ.get("NO_GCE_CHECK") == "true":
        return False
    host = os.environ.get("GCE_METADATA_HOST") or os.environ.get("GCE_METADATA_IP") or METADATA_ADDRESS
    with bounded_session(seconds=METADATA_SECONDS) as session:
        session.trust_env = False  # bypass proxies, which would answer instead
        try:
            answer = session.get(f"http://{host}/", headers=FLAVOR, timeout=METADATA_SECONDS)
        except requests.RequestException:
            return False
        return answer.headers.get("Metadata-Flavor") == FLAVOR["Metadata-Flavor"]


def _no_credentials_error(gcloud: Gcloud) -> GcpCredentialsError:
    what = (
        f"no credentials: {FILE} is not set, {gcloud.credentials_file} does not exist, and this machine has no "
        "metadata server"
    )
    todo = f"Sign in (`gcloud auth application-default login`), or set {FILE} to a service account's key file."
    return GcpCredentialsError(WHERE, what, todo)
