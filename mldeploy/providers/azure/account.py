"""Whose subscription, which region, and how Azure's services are called."""

from __future__ import annotations

import configparser
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from azure.core.credentials import TokenCredential

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.providers.azure import credentials
from mldeploy.providers.azure.errors import CredentialsError
from mldeploy.providers.azure.patience import Patient
from mldeploy.providers.azure.settings import AzureSettings

PUBLIC_URL = "https://management.azure.com"
CONNECT_SECONDS = 5
READ_SECONDS = 60
POLL_SECONDS = 0.3
"""Between two looks at an operation that takes long, where Azure does not say how long to wait."""


class Options(TypedDict):
    """What every client is made with: `SomeClient(account.credential, account.subscription, **account.options)`."""

    base_url: str
    credential_scopes: list[str]
    connection_verify: str | bool
    connection_timeout: int
    read_timeout: int
    polling_interval: float
    retry_policy: Patient


@dataclass(frozen=True)
class Account:
    """A subscription, and credentials that Microsoft Entra has accepted. user: by a name that people know.

    region: empty where nobody has named one. table: the target's own, for what is said of it. url: where Resource
    Manager answers, empty for the public one. verify: a PEM file with what is trusted instead of the usual authorities,
    None for these.
    """

    subscription: str
    tenant: str
    user: str
    region: str
    credential: TokenCredential
    table: str
    url: str = ""
    verify: Path | None = None

    @property
    def options(self) -> Options:
        """New ones for each client: a retry policy belongs to one pipeline."""
        return {
            "base_url": self.url or PUBLIC_URL,
            "credential_scopes": [credentials.MANAGEMENT],
            "connection_verify": str(self.verify) if self.verify else True,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "polling_interval": POLL_SECONDS,
            "retry_policy": Patient(),
        }

    @property
    def scope(self) -> str:
        """The subscription, as the beginning of every resource's id."""
        return f"/subscriptions/{self.subscription}"


def enter(table: str, settings: AzureSettings, endpoints: Endpoints) -> Account:
    """Find the credentials and have a token issued: one call. Then the subscription and the region.

    table: the settings' own (`target.acr`), for what is said of them. Raises CredentialsError, ConfigError, AzureError.
    """
    credential = credentials.given(endpoints) if endpoints.credentials else credentials.usual()
    said = credentials.claims(credentials.token(credential, credentials.MANAGEMENT))
    told = endpoints.credential("subscription_id")
    return Account(
        told.reveal() if told else _subscription(table, settings),
        said.get("tid", ""),
        credentials.owner(said),
        (endpoints.region or settings.region or _region()).replace(" ", "").lower(),
        credential,
        table,
        endpoints.url,
        endpoints.ca_bundle,
    )


def region_of(account: Account) -> str:
    """The region to make things in. Raises ConfigError if nobody has named one."""
    if account.region:
        return account.region
    what = "no region was found: neither in AZURE_LOCATION nor among the defaults of `az`"
    raise ConfigError(f"{account.table}.region", what, "Name one: --region westeurope.")


def _subscription(table: str, settings: AzureSettings) -> str:
    if named := settings.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID", ""):
        return named
    if chosen := _chosen(az_folder() / "azureProfile.json"):
        return chosen
    what = (
        "no subscription was found: neither in this key, nor in AZURE_SUBSCRIPTION_ID, nor has `az` chosen one "
        f"(in {az_folder()})"
    )
    todo = "Name one: `az account list` lists those that you have."
    raise CredentialsError(f"{table}.subscription", what, todo)


def _chosen(profile: Path) -> str:
    """The subscription that `az account set` has chosen; its file begins with a byte order mark."""
    try:
        listed = json.loads(profile.read_text(encoding="utf-8-sig"))["subscriptions"]
        return next((str(each["id"]) for each in listed if each.get("isDefault")), "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _region() -> str:
    """AZURE_LOCATION is what azd takes, AZURE_DEFAULTS_LOCATION and the file what az takes."""
    for variable in ("AZURE_LOCATION", "AZURE_DEFAULTS_LOCATION"):
        if found := os.environ.get(variable):
            return found
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read(az_folder() / "config", encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ""
    return config.get("defaults", "location", fallback="")


def az_folder() -> Path:
    """Where `az` keeps what it knows."""
    folder = os.environ.get("AZURE_CONFIG_DIR")
    return Path(folder) if folder else Path.home() / ".azure"
