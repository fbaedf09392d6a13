"""The supported resource types, their API versions, namespaces and locations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ResourceType:
    """name: `Microsoft.Web/sites`. versions: API versions, the newest first."""

    name: str
    versions: Sequence[str]

    @property
    def namespace(self) -> str:
        return self.name.partition("/")[0]

    @property
    def type(self) -> str:
        return self.name.partition("/")[2]


_RESOURCES = ("2025-04-01", "2025-03-01", "2024-11-01", "2024-07-01", "2024-03-01", "2022-09-01", "2021-04-01")
_REGISTRIES = ("2025-11-01", "2025-04-01", "2023-07-01", "2022-12-01", "2019-05-01")
_IDENTITIES = ("2024-11-30", "2023-01-31", "2018-11-30")
_AUTHORIZATION = ("2022-05-01-preview", "2022-04-01", "2018-07-01", "2015-07-01")
_WEB = ("2025-05-01", "2025-03-01", "2024-11-01", "2024-04-01", "2023-12-01", "2023-01-01", "2022-09-01", "2022-03-01")
_APP = ("2026-07-01", "2026-01-01", "2025-07-01", "2025-01-01", "2024-03-01", "2023-05-01")
_VAULTS = ("2026-05-15", "2025-05-01", "2024-11-01", "2023-07-01", "2022-07-01")
_INSIGHTS = ("2022-10-01", "2021-05-01-preview", "2015-04-01")

SUBSCRIPTION = ResourceType(
    "Microsoft.Resources/subscriptions", (*_RESOURCES, "2022-12-01", "2020-01-01", "2016-06-01")
)
GROUP = ResourceType("Microsoft.Resources/resourceGroups", _RESOURCES)
TAGS = ResourceType("Microsoft.Resources/tags", _RESOURCES)
REGISTRY = ResourceType("Microsoft.ContainerRegistry/registries", _REGISTRIES)
IDENTITY = ResourceType("Microsoft.ManagedIdentity/userAssignedIdentities", _IDENTITIES)
ASSIGNMENT = ResourceType("Microsoft.Authorization/roleAssignments", _AUTHORIZATION)
DEFINITION = ResourceType("Microsoft.Authorization/roleDefinitions", _AUTHORIZATION)
PERMISSIONS = ResourceType("Microsoft.Authorization/permissions", _AUTHORIZATION)
PLAN = ResourceType("Microsoft.Web/serverfarms", _WEB)
SITE = ResourceType("Microsoft.Web/sites", _WEB)
SLOT = ResourceType("Microsoft.Web/sites/slots", _WEB)
ENVIRONMENT = ResourceType("Microsoft.App/managedEnvironments", _APP)
MANAGED_CERTIFICATE = ResourceType("Microsoft.App/managedEnvironments/managedCertificates", _APP)
CONTAINER_APP = ResourceType("Microsoft.App/containerApps", _APP)
REVISION = ResourceType("Microsoft.App/containerApps/revisions", _APP)
VAULT = ResourceType("Microsoft.KeyVault/vaults", _VAULTS)
DELETED_VAULT = ResourceType("Microsoft.KeyVault/deletedVaults", _VAULTS)
APP_OPERATION = ResourceType("Microsoft.App/locations", _APP)
OPERATION = ResourceType("Microsoft.Resources/operations", (*_RESOURCES, *_REGISTRIES, *_WEB, *_VAULTS))
AUTOSCALE = ResourceType("Microsoft.Insights/autoscalesettings", _INSIGHTS)

ALWAYS_REGISTERED = ("Microsoft.Resources", "Microsoft.Authorization")
NAMESPACES = (
    *ALWAYS_REGISTERED,
    "Microsoft.App",
    "Microsoft.ContainerRegistry",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Web",
)
"""The known namespaces; a new subscription has only the first ones registered."""

LOCATIONS = ("eastus", "eastus2", "germanywestcentral", "northeurope", "swedencentral", "westeurope", "westus2")
"""The supported subset of Azure's regions."""
