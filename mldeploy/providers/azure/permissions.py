"""What the API calls of the targets need: the least that a custom role of Azure can be told to allow.

https://learn.microsoft.com/azure/role-based-access-control/custom-roles, and for the names of the actions
https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.registries import PULL, PUSH

OF_THE_SUBSCRIPTION = (
    "Microsoft.ContainerRegistry/checkNameAvailability/read",
    "Microsoft.ContainerRegistry/locations/operationResults/read",
    "Microsoft.ContainerRegistry/locations/operationStatuses/read",
    "Microsoft.ContainerRegistry/register/action",
    "Microsoft.Resources/subscriptions/providers/read",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resources/read",
)
"""What stands above the group: making it, registering providers, finding what is ours."""
OF_THE_GROUP = (
    "Microsoft.ContainerRegistry/registries/delete",
    "Microsoft.ContainerRegistry/registries/read",
    "Microsoft.ContainerRegistry/registries/write",
    "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
    PULL,
    PUSH,
)
OF_THE_ADMIN = ("Microsoft.ContainerRegistry/registries/listCredentials/action",)


def role_for_registry(cloud: AzureCloud) -> dict[str, object]:
    """For `push` and `destroy` of the target `acr`."""
    return roles(cloud, OF_THE_SUBSCRIPTION, (*OF_THE_GROUP, *(OF_THE_ADMIN if cloud.by_admin else ())))


def roles(cloud: AzureCloud, subscription: Iterable[str], group: Iterable[str]) -> dict[str, object]:
    """Two custom roles: one for the subscription, which can do little, and one for the app's group.

    Each is what `az role definition create --role-definition` takes.
    """
    title = f"mldeploy {cloud.app}"
    above = _role(f"{title}, in the subscription", subscription, cloud.account.scope)
    return {"roles": [above, _role(f"{title}, in its resource group", group, cloud.group_id)]}


def _role(name: str, actions: Iterable[str], scope: str) -> Mapping[str, object]:
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "The least that mldeploy needs for this app.",
        "Actions": sorted(set(actions), key=str.lower),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": [scope],
    }
