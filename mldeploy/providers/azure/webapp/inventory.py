"""What Azure itself says is the app's on this target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mldeploy.core.step import Kinds, Resource
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.inventory import REGISTRIES, Listed
from mldeploy.providers.azure.inventory import inventory as tagged
from mldeploy.providers.azure.tags import site_name
from mldeploy.providers.azure.webapp import autoscale, identity, plan, role, sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.site import WebApp

TYPES: Mapping[str, Listed[WebappCloud]] = {
    **REGISTRIES,
    "microsoft.insights/autoscalesettings": Listed(autoscale.Autoscale.kind, autoscale.is_there),
    "microsoft.web/sites": Listed(WebApp.kind, sites.is_there, site_name),
    "microsoft.web/serverfarms": Listed(plan.AppServicePlan.kind, plan.is_there),
    "microsoft.managedidentity/userassignedidentities": Listed(identity.ManagedIdentity.kind, identity.is_there),
}


def inventory(cloud: WebappCloud, kinds: Kinds[WebappCloud]) -> tuple[Resource, ...]:
    """Everything. Raises on any doubt: what cannot be listed might be there."""
    return (*tagged(cloud, kinds, TYPES), *_role(cloud))


def _role(cloud: WebappCloud) -> Iterator[Resource]:
    """No list by tag names role assignments."""
    with azure_errors(cloud.app):
        if role.is_there(cloud, cloud.registry_key):
            yield Resource(role.PullRole.kind, role.key_for(cloud.registry_key))
