"""What the target needs to be allowed, besides what its registry does.

https://learn.microsoft.com/azure/role-based-access-control/permissions/web-and-mobile
"""

from __future__ import annotations

from mldeploy.providers.azure.permissions import OF_THE_ADMIN, OF_THE_GROUP, OF_THE_SUBSCRIPTION, roles
from mldeploy.providers.azure.webapp.cloud import WebappCloud

_SUBSCRIPTION = (
    *OF_THE_SUBSCRIPTION,
    "Microsoft.Insights/register/action",
    "Microsoft.ManagedIdentity/register/action",
    "Microsoft.Web/checknameavailability/read",
    "Microsoft.Web/locations/operationResults/read",
    "Microsoft.Web/locations/usages/read",
    "Microsoft.Web/register/action",
)
_SITE = (
    "config/list/action",
    "config/read",
    "config/write",
    "containerlogs/action",
    "delete",
    "instances/read",
    "read",
    "restart/action",
    "slots/config/list/action",
    "slots/config/read",
    "slots/containerlogs/action",
    "slots/delete",
    "slots/read",
    "slots/restart/action",
    "slots/write",
    "slotsswap/action",
    "start/action",
    "stop/action",
    "write",
)
_GROUP = (
    *OF_THE_GROUP,
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
    *(f"Microsoft.Web/sites/{each}" for each in _SITE),
)
_TO_ASSIGN = (
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleAssignments/write",
)


def role_for_site(cloud: WebappCloud) -> dict[str, object]:
    """For everything that mldeploy does to this app. Assigning roles is left out where the admin user pulls."""
    return roles(cloud, _SUBSCRIPTION, (*_GROUP, *(OF_THE_ADMIN if cloud.by_admin else _TO_ASSIGN)))
