"""The clouds of Azure, each with its own sign-in and management endpoints.

https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from mldeploy.config.errors import ConfigError

REGISTRY_SCOPE = "https://containerregistry.azure.net/.default"


@dataclass(frozen=True)
class NationalCloud:
    """A cloud. setting: its name in the SDK. authority: the host of its Microsoft Entra."""

    setting: AzureClouds
    authority: str

    @property
    def manager(self) -> str:
        """The URL of Resource Manager."""
        return str(get_arm_endpoints(self.setting)["resource_manager"]).rstrip("/")

    @property
    def scope(self) -> str:
        """The scope of tokens for Resource Manager."""
        (scope,) = get_arm_endpoints(self.setting)["credential_scopes"]
        return str(scope)

    @property
    def registry_scope(self) -> str:
        """The scope of tokens that registries accept. Outside the public cloud, it is Resource Manager's."""
        return REGISTRY_SCOPE if self is PUBLIC else self.scope


PUBLIC = NationalCloud(AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD)
_CLOUDS: Mapping[str, NationalCloud] = MappingProxyType(
    {
        "AzureCloud": PUBLIC,
        "AzureUSGovernment": NationalCloud(AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        "AzureChinaCloud": NationalCloud(AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    }
)


def find_cloud(table: str, name: str) -> NationalCloud:
    """A cloud by name. table: of the settings, for the message. Raises ConfigError for any other, as of Azure Stack."""
    if name in _CLOUDS:
        return _CLOUDS[name]
    todo = f"Choose another cloud: set `cloud`, or run `az cloud set`. Supported are {', '.join(_CLOUDS)}."
    raise ConfigError(f"{table}.cloud", f"the cloud {name} is not supported", todo)


def authority_of(cloud: NationalCloud) -> str | None:
    """The sign-in host to pass to the SDK; None for the SDK's own choice, which AZURE_AUTHORITY_HOST sets."""
    return None if cloud is PUBLIC or os.environ.get("AZURE_AUTHORITY_HOST") else cloud.authority
