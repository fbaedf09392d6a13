"""What `mldeploy doctor` looks at for a web app, besides the account and the registry: the quota, and permissions."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator

from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.web import WebSiteManagementClient

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import checks, group
from mldeploy.providers.azure.account import enter
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.resource_provider import IDENTITIES, INSIGHTS, SITES, is_registered
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.checks import Finding, error, ok, warning

ASSIGN = "Microsoft.Authorization/roleAssignments/write"
WRITE = "Microsoft.Web/sites/write"


def look(target: str, project: Project, settings: WebappSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    yield from checks.look(target, project, settings, endpoints)
    try:
        account = enter(f"target.{target}", settings, endpoints)
    except MldeployError:
        return  # it has been told
    clients = AzureClients.in_account(account, project, settings)
    namespaces = (SITES, IDENTITIES, *((INSIGHTS,) if settings.scaling else ()))
    yield from checks.asked("resource providers", lambda: checks.registered(clients, namespaces))
    yield from checks.asked("quota", lambda: _quota(clients, settings))
    yield from checks.asked("permissions", lambda: _permissions(clients, settings))


def _quota(clients: AzureClients, settings: WebappSettings) -> Iterator[Finding]:
    """Whether the subscription may have the instances in the region, as far as App Service tells."""
    account = clients.account
    if not account.region or not is_registered(clients, SITES):
        return
    web = WebSiteManagementClient(account.credential, account.subscription, **account.options)
    wanted = settings.max or settings.instances or 1
    for usage in web.get_usages_in_location.list(account.region):
        told = usage.name.value if usage.name else ""
        if not told or settings.tier.name.lower() not in told.lower() or usage.limit is None:
            continue
        free = usage.limit - (usage.current_value or 0)
        what = f"{told} in {account.region}: {usage.current_value or 0} of {usage.limit} are used"
        if free < wanted:
            todo = "Ask for more in the portal (Quotas), or choose another `region` or `sku`."
            yield warning("quota", f"{what}, and the app needs {wanted}", todo)
        else:
            yield ok("quota", what)


def _permissions(clients: AzureClients, settings: WebappSettings) -> Iterator[Finding]:
    """Whether the account may make the site and, unless the admin user pulls, let it pull."""
    if group.describe(clients, clients.group) is None:
        yield ok("permissions", f"they can be told once there is the resource group {clients.group}")
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
        todo = 'Have it granted (role Owner or User Access Administrator), or set registry_auth = "admin".'
        yield error("permissions", f"{ASSIGN} is missing: the app could not be allowed to pull", todo)
    else:
        todo = "`mldeploy policy` prints a role that allows it."
        yield error("permissions", f"{' and '.join(missing)}: missing", todo)


def allows(granted: Iterable[tuple[tuple[str, ...], tuple[str, ...]]], action: str) -> bool:
    """Whether any of the roles, each with its actions and exceptions, allows it. Names are the same in capitals."""
    return any(
        any(_matches(each, action) for each in actions) and not any(_matches(each, action) for each in exceptions)
        for actions, exceptions in granted
    )


def _matches(pattern: str, action: str) -> bool:
    return fnmatch.fnmatchcase(action.lower(), pattern.lower())
