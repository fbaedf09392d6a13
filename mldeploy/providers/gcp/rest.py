"""REST clients for Google APIs whose SDK libraries take over a second to import, and for Compute Engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import requests
from google.api_core import exceptions as api
from urllib3.util import Retry

from mldeploy.bounded_http import bounded_session, read_json
from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.errors import GcpError, gcp_errors

SECONDS = (5.0, 20.0)
RETRIES = Retry(
    total=5, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
"""All requests may be repeated: they are read-only, or about a resource with a fixed name."""

RestDocument = Mapping[str, object]


class GoogleRestClient:
    """A client for one service. base: its URL. where: its name in error messages. Thread-safe."""

    def __init__(self, account: GcpProject, base: str, where: str) -> None:
        self._account = account
        self._base = base
        self._where = where
        self._session = bounded_session(max_retries=RETRIES)
        if account.endpoints.ca_bundle is not None:
            self._session.verify = str(account.endpoints.ca_bundle)
            self._session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it

    def get(self, path: str, permission: str, query: Mapping[str, str] | None = None) -> RestDocument:
        """Send a GET request that needs `permission`. Raises DeniedError, DisabledError, CredentialsError, GcpError."""
        return self._request("GET", path, permission, query, None)

    def post(self, path: str, permission: str, body: RestDocument) -> RestDocument:
        """Send a POST request with JSON. Raises the same errors as `get`."""
        return self._request("POST", path, permission, None, body)

    def delete(self, path: str, permission: str) -> None:
        """Send a DELETE request. Raises the same errors as `get`."""
        self._request("DELETE", path, permission, None, None)

    def _request(
        self, method: str, path: str, permission: str, query: Mapping[str, str] | None, body: RestDocument | None
    ) -> RestDocument:
        """Send a request. If Google rejects the token, renew it and retry once."""
        identity = self._account.identity
        request = requests.Request(method, f"{self._base}{path}", params=query, json=body)
        token = identity.token()
        response = self._send(request, token)
        if response.status_code == 401:
            identity.renew(token)
            response = self._send(request, identity.token())
        with gcp_errors(self._where, permission):
            if not response.ok:
                raise api.from_http_response(response)
        document = self._parse(response)
        return document if isinstance(document, dict) else {}

    def _quota_header(self) -> Mapping[str, str]:
        """The project whose quota is used, as the SDK sends it with gRPC. https://cloud.google.com/apis/docs/system-parameters"""
        project = self._account.identity.quota_project
        return {"x-goog-user-project": project} if project else {}

    def _parse(self, response: requests.Response) -> object:
        try:
            return read_json(response)
        except ValueError as error:
            what = f"Google does not answer JSON: {error}"
            raise GcpError(self._where, what, "Check the proxy; then run the command again.") from error

    def _send(self, request: requests.Request, token: Secret) -> requests.Response:
        request.headers = {"Authorization": f"Bearer {token.reveal()}", **self._quota_header()}
        prepared = self._session.prepare_request(request)
        options = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        try:
            return self._session.send(prepared, timeout=SECONDS, **options)
        except requests.RequestException as error:
            todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
            raise GcpError(self._where, f"Google does not answer: {' '.join(str(error).split())}", todo) from error


COMPUTE_URL = "https://compute.googleapis.com"
COMPUTE_SERVICE = "compute"
"""The name of this API in `Endpoints`, for stand-ins."""


class ComputeClient:
    """Read-only client for Compute Engine. Thread-safe. https://cloud.google.com/compute/docs/reference/rest/v1"""

    def __init__(self, account: GcpProject) -> None:
        base = f"{account.endpoints.service(COMPUTE_SERVICE) or COMPUTE_URL}/compute/v1/projects/{account.project}"
        self._rest = GoogleRestClient(account, base, f"Compute Engine, project {account.project}")

    def default_account(self) -> str:
        """The e-mail address of the default service account of nodes."""
        document = self._rest.get("", "compute.projects.get")
        return str(document.get("defaultServiceAccount") or "")

    def quotas(self, region: str) -> dict[str, tuple[float, float]]:
        """Usage and limit by metric (for example "CPUS")."""
        document = self._rest.get(f"/regions/{region}", "compute.regions.get").get("quotas")
        quotas = [each for each in document if isinstance(each, dict)] if isinstance(document, list) else []
        return {str(each.get("metric")): (float(each.get("usage", 0)), float(each.get("limit", 0))) for each in quotas}

    def forwarding_rules(self) -> list[RestDocument]:
        """All forwarding rules in the project, in every region."""
        return list(self._aggregated("forwardingRules", "compute.forwardingRules.list"))

    def disks(self) -> list[RestDocument]:
        """All disks in the project, in every zone."""
        return list(self._aggregated("disks", "compute.disks.list"))

    def _aggregated(self, kind: str, permission: str) -> Iterator[RestDocument]:
        page = ""
        while True:
            query = {"returnPartialSuccess": "false", **({"pageToken": page} if page else {})}
            document = self._rest.get(f"/aggregated/{kind}", permission, query)
            scopes = document.get("items")
            for scope in scopes.values() if isinstance(scopes, dict) else ():
                yield from scope.get(kind, ())
            page = str(document.get("nextPageToken") or "")
            if not page:
                return
