"""Checks of `mldeploy doctor` for the target `containerapps`: quota of environments and permissions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.appcontainers.models import Usage

from mldeploy.config.access_keys import KEY
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import checks
from mldeploy.providers.azure.account import authenticate
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import SHARE_ENVIRONMENT, ignore_not_found
from mldeploy.providers.azure.group import CONTAINER_APPS, IDENTITIES, VAULTS, is_registered
from mldeploy.providers.azure.tags import resource_name
from mldeploy.providers.capabilities import Finding, error, ok

WRITE = "Microsoft.App/containerApps/write"
ENVIRONMENTS = "ManagedEnvironmentCount"


def check_containerapps(
    target: str, project: Project, settings: ContainerAppsSettings, endpoints: Endpoints
) -> Iterator[Finding]:
    """All checks of the target. Read-only."""
    yield from checks.check_account(target, project, settings, endpoints)
    try:
        account = authenticate(f"target.{target}", settings, endpoints)
        settings.check(project)
    except MldeployError:
        return  # check_account, or the check of the configuration, has reported it
    clients = AzureClients.in_account(account, project, settings)
    namespaces = (CONTAINER_APPS, IDENTITIES, *((VAULTS,) if project.app.access == KEY else ()))
    yield from checks.collect_findings(
        "resource providers", lambda: checks.check_resource_providers(clients, namespaces)
    )
    yield from checks.collect_findings("quota", lambda: _check_quota(clients, settings))
    yield from checks.collect_findings(
        "permissions", lambda: checks.check_permissions(clients, WRITE, by_admin=settings.by_admin)
    )


def _check_quota(clients: AzureClients, settings: ContainerAppsSettings) -> Iterator[Finding]:
    """Check that the region has room for the app's environment. Small subscriptions may have one in a region."""
    account = clients.account
    if not account.region or settings.environment or not is_registered(clients, CONTAINER_APPS):
        return
    apps = ContainerAppsAPIClient(account.credential, account.subscription, **account.options)
    name = resource_name(clients.app)
    if ignore_not_found(lambda: apps.managed_environments.get(clients.group, name)) is not None:
        return
    usages = _list_usages(apps, account.region)
    if usages is None:
        yield ok("quota", "not checked: the account may not read it")
    for usage in usages or ():
        if (usage.name.value if usage.name else "") == ENVIRONMENTS and usage.limit is not None:
            used = usage.current_value or 0
            what = f"environments in {account.region}: {used:g} of {usage.limit:g} are used"
            yield (
                ok("quota", what)
                if used < usage.limit
                else error("quota", f"{what}, and the app needs one", SHARE_ENVIRONMENT)
            )


def _list_usages(apps: ContainerAppsAPIClient, region: str) -> Sequence[Usage] | None:
    """The quotas of the region; None if the account may not read them."""
    try:
        return list(apps.usages.list(region))
    except HttpResponseError as problem:
        if problem.status_code == 403:
            return None
        raise
