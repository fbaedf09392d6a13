"""The permissions of the targets' API calls, as custom roles with least privilege.

https://learn.microsoft.com/azure/role-based-access-control/custom-roles, and for the names of the actions
https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.registry_client import PULL, PUSH
from mldeploy.providers.azure.webapp.cloud import WebappCloud

SUBSCRIPTION_ACTIONS = (
    "Microsoft.ContainerRegistry/checkNameAvailability/read",
    "Microsoft.ContainerRegistry/locations/operationResults/read",
    "Microsoft.ContainerRegistry/register/action",
    "Microsoft.Resources/subscriptions/operationresults/read",
    "Microsoft.Resources/subscriptions/providers/read",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resources/read",
)
"""Subscription scope: create the group, register providers, list resources; the results of deletions are there, too."""
GROUP_ACTIONS = (
    "Microsoft.ContainerRegistry/registries/delete",
    "Microsoft.ContainerRegistry/registries/operationStatuses/read",
    "Microsoft.ContainerRegistry/registries/read",
    "Microsoft.ContainerRegistry/registries/write",
    "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
)
DATA_ACTIONS = (
    "Microsoft.ContainerRegistry/registries/repositories/content/read",
    "Microsoft.ContainerRegistry/registries/repositories/content/write",
    "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
    "Microsoft.ContainerRegistry/registries/repositories/metadata/write",
)
"""Pull and push in a registry of others that has the ABAC mode, where PULL and PUSH do not count."""
VAULT_SUBSCRIPTION_ACTIONS = (
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    "Microsoft.KeyVault/locations/operationResults/read",
    "Microsoft.KeyVault/register/action",
)
VAULT_ACTIONS = (
    "Microsoft.KeyVault/vaults/delete",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.KeyVault/vaults/write",
)
VAULT_DATA_ACTIONS = (
    "Microsoft.KeyVault/vaults/secrets/delete",
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/purge/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
)
"""The app's key vault and its secrets: `mldeploy secrets`, `mldeploy keys`."""
ADMIN_ACTIONS = ("Microsoft.ContainerRegistry/registries/listCredentials/action",)
TRANSFER_ACTIONS = (PULL, PUSH)


def role_for_registry(cloud: AzureCloud) -> dict[str, object]:
    """Custom roles for `push` and `destroy` of the target `acr`."""
    return custom_roles(
        cloud, SUBSCRIPTION_ACTIONS, (*GROUP_ACTIONS, *(ADMIN_ACTIONS if cloud.by_admin else TRANSFER_ACTIONS))
    )


def custom_roles(
    cloud: AzureCloud, subscription: Iterable[str], group: Iterable[str], data: Sequence[str] = ()
) -> dict[str, object]:
    """Two custom roles, for the subscription and for the app's group.

    Each is valid input of `az role definition create --role-definition`.
    """
    title = f"mldeploy {cloud.app}"
    subscription_role = _role(f"{title}, in the subscription", subscription, cloud.account.scope)
    data_actions = (*data, *(() if cloud.by_admin else DATA_ACTIONS))
    group_role = _role(f"{title}, in its resource group", group, cloud.group_id, data_actions)
    return {"roles": [subscription_role, group_role]}


def _role(name: str, actions: Iterable[str], scope: str, data_actions: Sequence[str] = ()) -> Mapping[str, object]:
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "The permissions that mldeploy needs for this app.",
        "Actions": sorted(set(actions), key=str.lower),
        "NotActions": [],
        "DataActions": [*data_actions],
        "NotDataActions": [],
        "AssignableScopes": [scope],
    }


_WEBAPP_SUBSCRIPTION_ACTIONS = (
    *SUBSCRIPTION_ACTIONS,
    *VAULT_SUBSCRIPTION_ACTIONS,
    "Microsoft.Insights/register/action",
    "Microsoft.ManagedIdentity/register/action",
    "Microsoft.Web/checknameavailability/read",
    "Microsoft.Web/register/action",
)
"""The quota check of `mldeploy doctor` needs Microsoft.Web/locations/usages/read, which no custom role may name: only
roles such as Reader include it, by their wildcard.
"""
_SITE_ACTIONS = (
    "config/appsettings/read",
    "config/list/action",
    "config/read",
    "config/write",
    "containerlogs/action",
    "delete",
    "instances/read",
    "operationresults/read",
    "read",
    "restart/action",
    "slots/config/appsettings/read",
    "slots/config/list/action",
    "slots/config/read",
    "slots/containerlogs/action",
    "slots/delete",
    "slots/operationresults/read",
    "slots/read",
    "slots/restart/action",
    "slots/write",
    "slotsswap/action",
    "start/action",
    "stop/action",
    "write",
)
_WEBAPP_GROUP_ACTIONS = (
    *GROUP_ACTIONS,
    *VAULT_ACTIONS,
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Insights/autoscalesettings/delete",
    "Microsoft.Insights/autoscalesettings/read",
    "Microsoft.Insights/autoscalesettings/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
    "Microsoft.Resources/tags/write",
    "Microsoft.Web/serverfarms/delete",
    "Microsoft.Web/serverfarms/join/action",
    "Microsoft.Web/serverfarms/operationresults/read",
    "Microsoft.Web/serverfarms/read",
    "Microsoft.Web/serverfarms/write",
    *(f"Microsoft.Web/sites/{each}" for each in _SITE_ACTIONS),
)
_IDENTITY_ACTIONS = (
    *TRANSFER_ACTIONS,
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleAssignments/write",
)


def role_for_webapp(cloud: WebappCloud) -> dict[str, object]:
    """Custom roles for all commands of the target `webapp`. Omits role assignment if the admin user pulls."""
    return custom_roles(
        cloud,
        _WEBAPP_SUBSCRIPTION_ACTIONS,
        (*_WEBAPP_GROUP_ACTIONS, *(ADMIN_ACTIONS if cloud.by_admin else _IDENTITY_ACTIONS)),
        VAULT_DATA_ACTIONS,
    )


_APPS_SUBSCRIPTION_ACTIONS = (
    *SUBSCRIPTION_ACTIONS,
    *VAULT_SUBSCRIPTION_ACTIONS,
    "Microsoft.App/locations/containerappOperationResults/read",
    "Microsoft.App/locations/containerappOperationStatuses/read",
    "Microsoft.App/locations/managedCertificateOperationStatuses/read",
    "Microsoft.App/locations/managedEnvironmentOperationResults/read",
    "Microsoft.App/locations/managedEnvironmentOperationStatuses/read",
    "Microsoft.App/locations/usages/read",
    "Microsoft.App/register/action",
    "Microsoft.ManagedIdentity/register/action",
)
_CONTAINER_APP_ACTIONS = (
    "delete",
    "getAuthToken/action",
    "listCustomHostNameAnalysis/action",
    "read",
    "revisions/activate/action",
    "revisions/deactivate/action",
    "revisions/read",
    "revisions/replicas/read",
    "start/action",
    "stop/action",
    "write",
)
_ENVIRONMENT_ACTIONS = (
    "delete",
    "join/action",
    "managedCertificates/delete",
    "managedCertificates/read",
    "managedCertificates/write",
    "read",
    "write",
)
_APPS_GROUP_ACTIONS = (
    *GROUP_ACTIONS,
    *VAULT_ACTIONS,
    *(f"Microsoft.App/containerApps/{each}" for each in _CONTAINER_APP_ACTIONS),
    *(f"Microsoft.App/managedEnvironments/{each}" for each in _ENVIRONMENT_ACTIONS),
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
)


def role_for_containerapps(cloud: ContainerAppsCloud) -> dict[str, object]:
    """Custom roles for all commands of the target `containerapps`. Omits role assignment if the admin user pulls."""
    return custom_roles(
        cloud,
        _APPS_SUBSCRIPTION_ACTIONS,
        (*_APPS_GROUP_ACTIONS, *(ADMIN_ACTIONS if cloud.by_admin else _IDENTITY_ACTIONS)),
        VAULT_DATA_ACTIONS,
    )
