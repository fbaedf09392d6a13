"""The SDK's clients of a rehearsal, as a provider makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.web import WebSiteManagementClient

from mldeploy.rehearsal.azure import AzureRehearsal


def catch_error(call: Callable[[], object]) -> tuple[int, str]:
    """Return status and code of the error that a call raises, in either of Azure's two forms."""
    with pytest.raises(HttpResponseError) as caught:
        call()
    response = caught.value.response
    assert response is not None
    body = json.loads(response.text())
    return int(response.status_code or 0), str(body["error"]["code"] if "error" in body else body["Code"])


MANAGEMENT = "https://management.azure.com/.default"
REGISTRIES = "https://containerregistry.azure.net/.default"


@dataclass(frozen=True)
class Clients:
    """attempts: how often the SDK tries a call. secret: another one than the one that is good.

    patience: seconds that an answer may take.
    """

    rehearsal: AzureRehearsal
    attempts: int = 1
    secret: str = ""
    patience: int = 60

    @cached_property
    def values(self) -> dict[str, str]:
        return {name: secret.reveal() for name, secret in self.rehearsal.endpoints.credentials}

    @property
    def bundle(self) -> str:
        return str(self.rehearsal.endpoints.ca_bundle)

    @cached_property
    def credential(self) -> ClientSecretCredential:
        return ClientSecretCredential(
            self.values["tenant_id"],
            self.values["client_id"],
            self.secret or self.values["client_secret"],
            authority=self.rehearsal.endpoints.service("authority"),
            disable_instance_discovery=True,
            connection_verify=self.bundle,
            retry_total=self.attempts - 1,
        )

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.rehearsal.endpoints.url,
            "credential_scopes": [MANAGEMENT],
            "connection_verify": self.bundle,
            "polling_interval": 0,
            "retry_total": self.attempts - 1,
            "retry_backoff_factor": 0,
            "read_timeout": self.patience,
        }

    @property
    def subscription(self) -> str:
        return self.values["subscription_id"]

    @cached_property
    def resources(self) -> ResourceManagementClient:
        return ResourceManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def registries(self) -> ContainerRegistryManagementClient:
        return ContainerRegistryManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def identities(self) -> ManagedServiceIdentityClient:
        return ManagedServiceIdentityClient(self.credential, self.subscription, **self._options)

    @cached_property
    def roles(self) -> AuthorizationManagementClient:
        return AuthorizationManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def web(self) -> WebSiteManagementClient:
        return WebSiteManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def apps(self) -> ContainerAppsAPIClient:
        return ContainerAppsAPIClient(self.credential, self.subscription, **self._options)

    @cached_property
    def monitor(self) -> MonitorManagementClient:
        return MonitorManagementClient(self.credential, self.subscription, **self._options)

    def close(self) -> None:
        """Close what has been used."""
        for name, each in vars(self).items():
            if name != "rehearsal" and hasattr(each, "close"):
                each.close()

    def arm(self, order: str, body: object = None, version: str = "2025-05-01") -> requests.Response:
        """A request as the SDK would not send it: `GET PATH`, below the subscription."""
        method, _, path = order.partition(" ")
        url = f"{self.rehearsal.endpoints.url}/subscriptions/{self.subscription}{path}"
        headers = {"Authorization": f"Bearer {self.credential.get_token(MANAGEMENT).token}"}
        query = {"api-version": version} if version else {}
        return requests.request(method, url, params=query, json=body, headers=headers, verify=self.bundle, timeout=60)

    def exchange(self, login: str, token: str = "") -> requests.Response:
        """Exchange an Entra token for a refresh token of the registry."""
        form = {
            "grant_type": "access_token",
            "service": login,
            "tenant": self.values["tenant_id"],
            "access_token": token or self.credential.get_token(REGISTRIES).token,
        }
        return requests.post(f"http://{login}/oauth2/exchange", data=form, timeout=60)

    def password(self, login: str) -> str:
        """Return a password for a push to the registry."""
        return str(self.exchange(login).json()["refresh_token"])
