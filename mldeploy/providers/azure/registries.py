"""Container registries as Azure describes them, and the access to what they hold.

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
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.util import Retry

from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.azure import credentials
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.errors import AzureError, DeniedError, azure_errors, found
from mldeploy.providers.azure.words import word

USER = "00000000-0000-0000-0000-000000000000"
"""Whoever shows a token instead of a password."""
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PUSH = "Microsoft.ContainerRegistry/registries/push/write"
SECONDS = (5.0, 30.0)
RETRIES = Retry(
    total=5,
    backoff_factor=0.4,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
"""Also for POST: a token that was issued and lost harms nobody. A new registry's name may take a moment to be known."""


@dataclass(frozen=True)
class Registry:
    """A container registry. id: its resource's. address: where it is pushed to. admin: its admin user is on."""

    id: str
    name: str
    address: str
    sku: str
    admin: bool
    state: str
    tags: Mapping[str, str]


def describe(cloud: AzureClients, group: str, name: str) -> Registry | None:
    """None if there is none. Raises what the SDK raises."""
    there = found(partial(cloud.registries.registries.get, group, name))
    return read(there) if there else None


def read(there: RegistryModel) -> Registry:
    about = there.properties
    return Registry(
        there.id or "",
        there.name or "",
        (about.login_server if about else "") or "",
        word(there.sku.name) if there.sku else "",
        bool(about and about.admin_user_enabled),
        word(about.provisioning_state) if about else "",
        dict(there.tags or {}),
    )


def access(cloud: AzureClients, registry: Registry, group: str) -> RegistryAccess:
    """With the account's own token; with the admin user's password where that is on. Raises DeniedError, AzureError."""
    if registry.admin and cloud.by_admin:
        user, password = admin(cloud, group, registry.name)
        return RegistryAccess(registry.address, user, password)
    issued = exchange(cloud, registry.address)
    return RegistryAccess(registry.address, USER, issued, _expiry(issued))


def admin(cloud: AzureClients, group: str, name: str) -> tuple[str, Secret]:
    """The admin user and one of its passwords."""
    with azure_errors(f"registry {name}"):
        told = cloud.registries.registries.list_credentials(group, name)
    password = next((each.value for each in told.passwords or () if each.value), None)
    if not told.username or not password:
        raise AzureError(f"registry {name}", "tells no password of its admin user", "Run the command again.")
    return told.username, Secret(password)


def exchange(cloud: AzureClients, address: str) -> Secret:
    """The registry's own token, good for some hours, for one of Microsoft Entra's. May be repeated.

    https://azure.github.io/acr/AAD-OAuth.html
    """
    form = {
        "grant_type": "access_token",
        "service": address,
        "tenant": cloud.account.tenant,
        "access_token": credentials.token(cloud.account.credential, credentials.REGISTRY),
    }
    near = _is_near(address)
    with requests.Session() as session:
        session.trust_env = not near
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        try:
            url = f"{'http' if near else 'https'}://{address}/oauth2/exchange"
            answer = session.post(url, data=form, timeout=SECONDS)
        except RequestException as error:
            todo = "Check the network and the proxy; then run the command again: it resumes."
            reason = " ".join(str(error).split())
            raise AzureError(f"registry {address}", f"does not answer: {reason}", todo) from error
    return _issued(address, cloud.account.user, answer)


def _issued(address: str, user: str, answer: requests.Response) -> Secret:
    where = f"registry {address}"
    if answer.status_code in (401, 403):
        todo = "Have the role AcrPush assigned to it, for this registry."
        said = f" (it says: {' '.join(answer.text.split())[:200]})" if answer.text else ""
        raise DeniedError(where, user, f"{PULL} and {PUSH}", registry_scope(address), f"{todo}{said}")
    try:
        token = answer.json().get("refresh_token") if answer.ok else None
    except (ValueError, AttributeError):
        token = None
    if not token:
        what = f"answers {answer.status_code} {answer.reason} where it should issue a token"
        raise AzureError(where, what, "Run the command again.")
    return Secret(str(token))


def registry_scope(address: str) -> str:
    """What is said of a registry whose resource's id is not at hand."""
    return f"the registry {address.partition('.')[0] if not _is_near(address) else address}"


def _expiry(issued: Secret) -> str:
    """ISO 8601, UTC; empty if the token does not say."""
    moment = credentials.claims(issued.reveal()).get("exp", "")
    if not moment.isdecimal():
        return ""
    return datetime.fromtimestamp(int(moment), UTC).isoformat(timespec="seconds")


def _is_near(address: str) -> bool:
    """On this machine, where the engine, too, speaks to a registry without TLS."""
    host = address.rpartition(":")[0] or address
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
