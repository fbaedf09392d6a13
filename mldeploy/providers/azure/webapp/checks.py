"""Checks of `mldeploy doctor` for the target `webapp`: quota and permissions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from azure.core.exceptions import HttpResponseError
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import CsmUsageQuota

from mldeploy.config.access_keys import KEY
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import checks
from mldeploy.providers.azure.account import AzureSubscription, authenticate
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.group import IDENTITIES, INSIGHTS, SITES, VAULTS, is_registered
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.capabilities import Finding, ok, warning

WRITE = "Microsoft.Web/sites/write"


def check_webapp(target: str, project: Project, settings: WebappSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """All checks of the target. Read-only."""
    yield from checks.check_account(target, project, settings, endpoints)
    try:
        account = authenticate(f"target.{target}", settings, endpoints)
    except MldeployError:
        return  # check_account has reported it
    clients = AzureClients.in_account(account, project, settings)
    keys = (VAULTS,) if project.app.access == KEY else ()
    namespaces = (SITES, IDENTITIES, *((INSIGHTS,) if settings.scaling else ()), *keys)
    yield from checks.collect_findings(
        "resource providers", lambda: checks.check_resource_providers(clients, namespaces)
    )
    yield from checks.collect_findings("quota", lambda: _check_quota(clients, settings))
    yield from checks.collect_findings(
        "permissions", lambda: checks.check_permissions(clients, WRITE, by_admin=settings.by_admin)
    )


def _check_quota(clients: AzureClients, settings: WebappSettings) -> Iterator[Finding]:
    """Check that the quota of the region covers the instances, if App Service reports one."""
    account = clients.account
    if not account.region or not is_registered(clients, SITES):
        return
    instances = settings.max or settings.instances or 1
    usages = _list_usages(account)
    if usages is None:
        yield ok("quota", "not checked: the account may not read it, and no custom role can allow it")
    for usage in usages or ():
        quota_name = usage.name.value if usage.name else ""
        if not quota_name or settings.tier.name.lower() not in quota_name.lower() or usage.limit is None:
            continue
        free = usage.limit - (usage.current_value or 0)
        what = f"{quota_name} in {account.region}: {usage.current_value or 0} of {usage.limit} are used"
        if free < instances:
            todo = "Request an increase in the portal (Quotas), or choose another `region` or `sku`."
            yield warning("quota", f"{what}, and the app needs {instances}", todo)
        else:
            yield ok("quota", what)


def _list_usages(account: AzureSubscription) -> Sequence[CsmUsageQuota] | None:
    """The quotas of the region; None if the account may not read them."""
    web = WebSiteManagementClient(account.credential, account.subscription, **account.options)
    try:
        return list(web.get_usages_in_location.list(account.region))
    except HttpResponseError as error:
        if error.status_code == 403:
            return None
        raise
