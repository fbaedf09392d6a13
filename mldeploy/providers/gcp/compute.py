"""What is asked of Compute Engine: four reads over its REST API.

https://cloud.google.com/compute/docs/reference/rest/v1. Google's library for it takes over a second, and 150 MB, to be
imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import requests
from google.api_core import exceptions as api
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.errors import GcpError, gcp_errors

PUBLIC = "https://compute.googleapis.com"
SERVICE = "compute"
"""The name under which a stand-in says where this API answers."""
SECONDS = (5.0, 20.0)
RETRIES = Retry(total=5, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)

Document = Mapping[str, object]


class Compute:
    """The project's Compute Engine, for reading. It may be used from several threads."""

    def __init__(self, account: Account) -> None:
        endpoints = account.endpoints
        self._account = account
        self._base = f"{endpoints.service(SERVICE) or PUBLIC}/compute/v1/projects/{account.project}"
        self._session = requests.Session()
        if endpoints.ca_bundle is not None:
            self._session.verify = str(endpoints.ca_bundle)
            self._session.trust_env = False  # REQUESTS_CA_BUNDLE would count before it
        self._session.mount("https://", HTTPAdapter(max_retries=RETRIES))

    def default_account(self) -> str:
        """The e-mail address of the service account that nodes have unless they are given another one."""
        found = self._get("", "compute.projects.get")
        return str(found.get("defaultServiceAccount") or "")

    def quotas(self, region: str) -> dict[str, tuple[float, float]]:
        """By metric ("CPUS"): how much is used, and the limit."""
        found = self._get(f"/regions/{region}", "compute.regions.get").get("quotas")
        rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        return {str(each.get("metric")): (float(each.get("usage", 0)), float(each.get("limit", 0))) for each in rows}

    def forwarding_rules(self) -> list[Document]:
        """All load balancers' addresses in the project, of every region."""
        return list(self._aggregated("forwardingRules", "compute.forwardingRules.list"))

    def disks(self) -> list[Document]:
        """All disks in the project, of every zone."""
        return list(self._aggregated("disks", "compute.disks.list"))

    def _aggregated(self, kind: str, permission: str) -> Iterator[Document]:
        page = ""
        while True:
            query = {"returnPartialSuccess": "false", **({"pageToken": page} if page else {})}
            found = self._get(f"/aggregated/{kind}", permission, query)
            places = found.get("items")
            for place in places.values() if isinstance(places, dict) else ():
                yield from place.get(kind, ())
            page = str(found.get("nextPageToken") or "")
            if not page:
                return

    def _get(self, path: str, permission: str, query: Mapping[str, str] | None = None) -> Document:
        where = f"Compute Engine, project {self._account.project}"
        with gcp_errors(where, permission):
            answer = self._asked(where, path, query)
            if not answer.ok:
                raise api.from_http_response(answer)
        found = answer.json()
        return found if isinstance(found, dict) else {}

    def _asked(self, where: str, path: str, query: Mapping[str, str] | None) -> requests.Response:
        """The answer; a token that is refused before its time is renewed once."""
        identity = self._account.identity
        token = identity.token()
        answer = self._sent(where, path, query, token)
        if answer.status_code != 401:
            return answer
        identity.renew(token)
        return self._sent(where, path, query, identity.token())

    def _sent(self, where: str, path: str, query: Mapping[str, str] | None, token: Secret) -> requests.Response:
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        try:
            return self._session.get(f"{self._base}{path}", params=query, headers=headers, timeout=SECONDS)
        except requests.RequestException as error:
            todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
            raise GcpError(where, f"Google does not answer: {' '.join(str(error).split())}", todo) from error
