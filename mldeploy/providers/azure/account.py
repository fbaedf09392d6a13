"""The subscription, the region and the options of Azure's clients."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from azure.core.credentials import TokenCredential

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.core.files import read_text
from mldeploy.core.parsing import parse_json
from mldeploy.providers.azure import credentials
from mldeploy.providers.azure.errors import AzureCredentialsError
from mldeploy.providers.azure.national_clouds import PUBLIC, NationalCloud, authority_of, find_cloud
from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.azure.waiting import AzureRetryPolicy

CONNECT_SECONDS = 5
READ_SECONDS = 60
POLL_SECONDS = 0.3
"""Seconds between two polls of a long-running operation, unless Azure sends Retry-After."""


class AzureClientOptions(TypedDict):
    """Options of every client: `SomeClient(account.credential, account.subscription, **account.options)`."""

    base_url: str
    credential_scopes: list[str]
    connection_verify: str | bool
    connection_timeout: int
    read_timeout: int
    polling_interval: float
    retry_policy: AzureRetryPolicy


@dataclass(frozen=True)
class AzureSubscription:
    """A subscription with accepted credentials. user: a readable account name.

    region: empty if none is configured. table: the target's configuration table, for error messages. url: the Resource
    Manager endpoint of a stand-in, empty for the cloud's own. verify: a PEM file with trusted certificates, None for
    the default CAs.
    """

    subscription: str
    tenant: str
    user: str
    region: str
    credential: TokenCredential
    table: str
    url: str = ""
    verify: Path | None = None
    cloud: NationalCloud = PUBLIC
    principal: str = ""
    """The object id of the account in its tenant."""
    principal_kind: str = "User"
    """Of the account, as role assignments have it: "User" or "ServicePrincipal"."""

    @property
    def options(self) -> AzureClientOptions:
        """New options for each client, because a retry policy belongs to one pipeline."""
        return {
            "base_url": self.url or self.cloud.manager,
            "credential_scopes": [self.cloud.scope],
            "connection_verify": str(self.verify) if self.verify else True,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "polling_interval": POLL_SECONDS,
            "retry_policy": AzureRetryPolicy(),
        }

    @property
    def scope(self) -> str:
        """The prefix of every resource id in the subscription."""
        return f"/subscriptions/{self.subscription}"


def authenticate(table: str, settings: AzureSettings, endpoints: Endpoints) -> AzureSubscription:
    """Request a token and resolve the subscription and the region. Makes one call.

    table: the name of the settings (`target.acr`) in messages. Raises AzureCredentialsError, ConfigError, AzureError.
    """
    cloud = PUBLIC if endpoints.credentials else find_cloud(table, settings.cloud or _default_cloud())
    credential = (
        credentials.stand_in_credential(endpoints)
        if endpoints.credentials
        else credentials.default_credential(authority_of(cloud))
    )
    claims = credentials.token_claims(credentials.fetch_token(credential, cloud.scope))
    subscription_id = endpoints.credential("subscription_id")
    return AzureSubscription(
        subscription_id.reveal() if subscription_id else _resolve_subscription(table, settings),
        claims.get("tid", ""),
        credentials.account_name(claims),
        (endpoints.region or settings.region or _default_region()).replace(" ", "").lower(),
        credential,
        table,
        endpoints.url,
        endpoints.ca_bundle,
        cloud,
        claims.get("oid", ""),
        "ServicePrincipal" if claims.get("idtyp") == "app" else "User",
    )


def require_region(account: AzureSubscription) -> str:
    """The region for new resources. Raises ConfigError if none is configured."""
    if account.region:
        return account.region
    what = "no region is set: neither AZURE_LOCATION nor a default of `az`"
    raise ConfigError(f"{account.table}.region", what, "Set one, for example --region westeurope.")


def _resolve_subscription(table: str, settings: AzureSettings) -> str:
    if named := settings.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID", ""):
        return named
    if chosen := _active_subscription(az_folder() / "azureProfile.json"):
        return chosen
    what = (
        "no subscription is set: neither in this key, nor in AZURE_SUBSCRIPTION_ID, nor an active one of `az` "
        f"(in {az_folder()})"
    )
    todo = "Set one. `az account list` lists your subscriptions."
    raise AzureCredentialsError(f"{table}.subscription", what, todo)


def _active_subscription(profile: Path) -> str:
    """The active subscription of `az account set`. The file starts with a byte order mark."""
    try:
        subscriptions = cast("dict[str, list[dict[str, object]]]", parse_json(read_text(profile)))["subscriptions"]
        return next((str(each["id"]) for each in subscriptions if each.get("isDefault")), "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _default_region() -> str:
    """azd reads AZURE_LOCATION; az reads AZURE_DEFAULTS_LOCATION and its config file."""
    for variable in ("AZURE_LOCATION", "AZURE_DEFAULTS_LOCATION"):
        if value := os.environ.get(variable):
            return value
    return _az_config("defaults", "location")


def _default_cloud() -> str:
    """The cloud of `az cloud set`."""
    return _az_config("cloud", "name") or "AzureCloud"


def _az_config(section: str, key: str) -> str:
    """A value of the config file of `az`; empty if there is none."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(read_text(az_folder() / "config", encoding="utf-8"))
    except (configparser.Error, OSError):
        return ""
    return config.get(section, key, fallback="")


def az_folder() -> Path:
    """The configuration folder of `az`."""
    folder = os.environ.get("AZURE_CONFIG_DIR")
    return Path(folder) if folder else Path.home() / ".azure"
