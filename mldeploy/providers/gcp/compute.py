"""What is asked of Compute Engine: four reads over its REST API.

https://cloud.google.com/compute/docs/reference/rest/v1
"""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.rest import Document, Rest

PUBLIC = "https://compute.googleapis.com"
SERVICE = "compute"
"""The name under which a stand-in says where this API answers."""


class Compute:
    """The project's Compute Engine, for reading. It may be used from several threads."""

    def __init__(self, account: Account) -> None:
        base = f"{account.endpoints.service(SERVICE) or PUBLIC}/compute/v1/projects/{account.project}"
        self._rest = Rest(account, base, f"Compute Engine, project {account.project}")

    def default_account(self) -> str:
        """The e-mail address of the service account that nodes have unless they are given another one."""
        found = self._rest.get("", "compute.projects.get")
        return str(found.get("defaultServiceAccount") or "")

    def quotas(self, region: str) -> dict[str, tuple[float, float]]:
        """By metric ("CPUS"): how much is used, and the limit."""
        found = self._rest.get(f"/regions/{region}", "compute.regions.get").get("quotas")
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
            found = self._rest.get(f"/aggregated/{kind}", permission, query)
            places = found.get("items")
            for place in places.values() if isinstance(places, dict) else ():
                yield from place.get(kind, ())
            page = str(found.get("nextPageToken") or "")
            if not page:
                return
