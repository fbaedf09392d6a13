"""Checks of `mldeploy doctor` for the target `webapp`: quota and permissions."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence

from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import CsmUsageQuota

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import checks, group
from mldeploy.providers.azure.account import AzureSubscription, authenticate
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.group import IDENTITIES, INSIGHTS, SITES, is_registered
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.capabilities import Finding, error, ok, warning

ASSIGN = "Microsoft.Authorization/roleAssignments/write"
WRITE = "Microsoft.Web/sites/write"


def check_webapp(target: str, project: Project, settings: WebappSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """All checks of the target. Read-only."""
    yield from checks.check_account(target, project, settings, endpoints)
    try:
        account = authenticate(f"target.{target}", settings, endpoints)
    except MldeployError:
        return  # check_account has reported it
    clients = AzureClients.in_account(account, project, settings)
    namespaces = (SITES, IDENTITIES, *((INSIGHTS,) if settings.scaling else ()))
    yield from checks.collect_findings(
        "resource providers", lambda: checks.check_resource_providers(clients, namespaces)
    )
    yield from checks.collect_findings("quota", lambda: _check_quota(clients, settings))
    yield from checks.collect_findings("permissions", lambda: _check_permissions(clients, settings))


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


def _check_permissions(clients: AzureClients, settings: WebappSettings) -> Iterator[Finding]:
    """Check that the account may create the site and, unless the admin user pulls, assign the pull role."""
    if group.describe_group(clients, clients.group) is None:
        yield ok("permissions", f"not checked: the resource group {clients.group} does not exist yet")
        return
    account = clients.account
    roles = AuthorizationManagementClient(account.credential, account.subscription, **account.options)
    granted = [
        (tuple(each.actions or ()), tuple(each.not_actions or ()))
        for each in roles.permissions.list_for_resource_group(clients.group)
    ]
    needed = (WRITE,) if settings.by_admin else (WRITE, ASSIGN)
    missing = [action for action in needed if not allows(granted, action)]
    if not missing:
        yield ok("permissions", f"{' and '.join(needed)}: granted")
    elif missing == [ASSIGN]:
        todo = 'Request the role Owner or User Access Administrator, or set registry_auth = "admin".'
        yield error("permissions", f"{ASSIGN} is missing: it is needed to let the app pull", todo)
    else:
        todo = "`mldeploy policy` prints a role that allows it."
        yield error("permissions", f"{' and '.join(missing)}: missing", todo)


def allows(granted: Iterable[tuple[tuple[str, ...], tuple[str, ...]]], action: str) -> bool:
    """Whether any role (actions and exceptions) allows the action. Names are case-insensitive."""
    return any(
        any(_matches(each, action) for each in actions) and not any(_matches(each, action) for each in exceptions)
        for actions, exceptions in granted
    )


def _matches(pattern: str, action: str) -> bool:
    return fnmatch.fnmatchcase(action.lower(), pattern.lower())
