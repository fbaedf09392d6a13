"""Read container registries and get credentials for them.

https://learn.microsoft.com/azure/container-registry/container-registry-authentication
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import requests
from azure.mgmt.containerregistry.models import Registry as RegistryModel
from requests.exceptions import RequestException
from urllib3.util import Retry

from mldeploy.bounded_http import bounded_session, read_json
from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.azure import credentials
from mldeploy.providers.azure.cloud import AzureClients, enum_text
from mldeploy.providers.azure.errors import AzureDeniedError, AzureError, azure_errors, ignore_not_found

LOGIN_USER = "00000000-0000-0000-0000-000000000000"
"""The user name for logins with a token."""
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PUSH = "Microsoft.ContainerRegistry/registries/push/write"
ABAC, REGISTRY_WIDE = "AbacRepositoryPermissions", "LegacyRegistryPermissions"
"""The role assignment modes of a registry.

https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions
"""
SECONDS = (5.0, 30.0)
RETRIES = Retry(
    total=5,
    backoff_factor=0.4,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
"""Also for POST: requesting a token twice is harmless. The DNS name of a new registry may not resolve at once."""


@dataclass(frozen=True)
class ContainerRegistryInfo:
    """A container registry. id: its resource id. address: its host. admin: its admin user is enabled.

    abac: permissions are granted on repositories, and the roles AcrPull and AcrPush do not count.
    """

    id: str
    name: str
    address: str
    sku: str
    admin: bool
    state: str
    tags: Mapping[str, str]
    abac: bool = False


def describe_registry(cloud: AzureClients, group: str, name: str) -> ContainerRegistryInfo | None:
    """None if it does not exist. Raises SDK errors."""
    model = ignore_not_found(partial(cloud.registries.registries.get, group, name))
    return parse_registry(model) if model else None


def parse_registry(model: RegistryModel) -> ContainerRegistryInfo:
    properties = model.properties
    return ContainerRegistryInfo(
        model.id or "",
        model.name or "",
        (properties.login_server if properties else "") or "",
        enum_text(model.sku.name) if model.sku else "",
        bool(properties and properties.admin_user_enabled),
        enum_text(properties.provisioning_state) if properties else "",
        dict(model.tags or {}),
        bool(properties and enum_text(properties.role_assignment_mode) == ABAC),
    )


def registry_access(cloud: AzureClients, registry: ContainerRegistryInfo, group: str) -> RegistryAccess:
    """Use the account's token, or the password of an enabled admin user. Raises AzureDeniedError, AzureError."""
    if registry.admin and cloud.by_admin:
        user, password = admin_credentials(cloud, group, registry.name)
        return RegistryAccess(registry.address, user, password)
    issued = exchange_token(cloud, registry.address)
    return RegistryAccess(registry.address, LOGIN_USER, issued, _token_expiry(issued))


def admin_credentials(cloud: AzureClients, group: str, name: str) -> tuple[str, Secret]:
    """The admin user and one of its passwords."""
    with azure_errors(f"registry {name}"):
        response = cloud.registries.registries.list_credentials(group, name)
    password = next((each.value for each in response.passwords or () if each.value), None)
    if not response.username or not password:
        raise AzureError(f"registry {name}", "returns no password of its admin user", "Run the command again.")
    return response.username, Secret(password)


def exchange_token(cloud: AzureClients, address: str) -> Secret:
    """Exchange a Microsoft Entra token for a registry token, valid for some hours. May be repeated.

    https://azure.github.io/acr/AAD-OAuth.html
    """
    form = {
        "grant_type": "access_token",
        "service": address,
        "tenant": cloud.account.tenant,
        "access_token": credentials.fetch_token(cloud.account.credential, cloud.account.cloud.registry_scope),
    }
    loopback = _is_loopback(address)
    with bounded_session(max_retries=RETRIES) as session:
        session.trust_env = not loopback
        try:
            url = f"{'http' if loopback else 'https'}://{address}/oauth2/exchange"
            response = session.post(url, data=form, timeout=SECONDS)
        except RequestException as error:
            todo = "Check the network and the proxy; then run the command again: it resumes."
            reason = " ".join(str(error).split())
            raise AzureError(f"registry {address}", f"does not answer: {reason}", todo) from error
    return _parse_token(address, cloud.account.user, response)


def _parse_token(address: str, user: str, response: requests.Response) -> Secret:
    where = f"registry {address}"
    if response.status_code in (401, 403):
        todo = (
            "Assign the role AcrPush on this registry to the account; in a registry with the ABAC mode, the role "
            "Container Registry Repository Writer."
        )
        detail = f" (response: {' '.join(response.text.split())[:200]})" if response.text else ""
        raise AzureDeniedError(where, user, f"{PULL} and {PUSH}", registry_scope(address), f"{todo}{detail}")
    try:
        document = read_json(response) if response.ok else None
    except ValueError:
        document = None
    token = document.get("refresh_token") if isinstance(document, dict) else None
    if not token:
        what = f"answers {response.status_code} {response.reason} instead of a token"
        raise AzureError(where, what, "Run the command again.")
    return Secret(str(token))


def registry_scope(address: str) -> str:
    """A readable name of a registry for error messages."""
    return f"the registry {address.partition('.')[0] if not _is_loopback(address) else address}"


def _token_expiry(issued: Secret) -> str:
    """ISO 8601, UTC; empty if the token has no expiry."""
    moment = credentials.token_claims(issued.reveal()).get("exp", "")
    if not moment.isdecimal():
        return ""
    return datetime.fromtimestamp(int(moment), UTC).isoformat(timespec="seconds")


def _is_loopback(address: str) -> bool:
    """Whether the registry is on this machine, where the engine also connects without TLS."""
    host = address.rpartition(":")[0] or address
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
