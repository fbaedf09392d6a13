"""The values of an app's secrets: given with the app, or read from a key vault with an identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mldeploy.rehearsal.azure.arm.schema import ArmError
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext


class SecretReader:
    """The caller holds the account's lock."""

    def __init__(self, context: ContainerAppsContext) -> None:
        self._context = context

    def check(self, body: Mapping[str, Any]) -> None:
        """Read every reference. Raises ArmError, 400.

        Source: microsoft/azure-container-apps, issues 930 and 1159 (`InvalidParameterValueInContainerTemplate`).
        """
        for each in (body["properties"].get("configuration") or {}).get("secrets") or ():
            if each.get("keyVaultUrl") and self._fetch(each["keyVaultUrl"], each["identity"]) is None:
                name, identity = each["name"], each["identity"]
                error = f"unable to fetch secret '{name}' using Managed identity '{identity}'"
                details = f"Unable to get value using Managed identity {identity} for secret {name}. Error: {error}"
                field = "Field 'configuration.secrets' is invalid with details:"
                what = f"The following field(s) are either invalid or missing. {field}"
                text = f"{what} 'Invalid value: \"{name}\": {details}';."
                raise ArmError(400, "InvalidParameterValueInContainerTemplate", text)

    def read(self, body: Mapping[str, Any], name: str) -> str:
        """Return the value of a secret of the app; empty if it cannot be read now."""
        for each in (body["properties"].get("configuration") or {}).get("secrets") or ():
            if each["name"] == name:
                if each.get("keyVaultUrl"):
                    return self._fetch(each["keyVaultUrl"], each["identity"]) or ""
                return str(each["value"])
        return ""

    def _fetch(self, url: str, identity: str) -> str | None:
        resource = self._context.account.find(identity)
        principal = str(resource.properties["principalId"]) if resource is not None else ""
        if (value := self._context.vaults.fetch(url, principal)) is not None:
            return value
        return self._context.account.conditions.secrets.get("/".join(url.lower().rstrip("/").split("/")[:5]))
