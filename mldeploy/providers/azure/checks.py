"""Checks of `mldeploy doctor` on Azure: credentials, subscription, resource group and registry."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator

from azure.mgmt.authorization import AuthorizationManagementClient

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import group, registry
from mldeploy.providers.azure.account import authenticate
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import REGISTRIES, TARGET, is_registered
from mldeploy.providers.azure.registry_client import exchange_token
from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.azure.tags import missing_tags
from mldeploy.providers.capabilities import Finding, error, ok, warning

ABAC_EFFECT = "it grants permissions on repositories (ABAC mode): the roles AcrPull and AcrPush do not count there"
ABAC_ADVICE = "Whoever pushes needs the role Container Registry Repository Writer; a deployment lets the app pull."
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
SECONDS = 40.0
"""Time limit: `az` needs a second or two for a token, and the SDK retries."""


def check_account(target: str, project: Project, settings: AzureSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Check what every target on Azure needs: account, subscription and registry. Read-only."""
    try:
        account = authenticate(f"target.{target}", settings, endpoints)
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield ok("credentials", f"{account.user}, subscription {account.subscription}")
    clients = AzureClients.in_account(account, project, settings)
    yield from collect_findings("resource providers", lambda: check_resource_providers(clients, (REGISTRIES,)))
    yield from collect_findings("resource group", lambda: _check_resource_group(clients))
    yield from collect_findings("registry", lambda: _check_registry(clients))


def collect_findings(subject: str, check: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """Run a check. If it raises an MldeployError, return that error as the finding."""
    try:
        with azure_errors("Azure"):
            return tuple(check())
    except MldeployError as problem:
        return (error(subject, problem.what, problem.todo),)


def check_resource_providers(clients: AzureClients, namespaces: Iterable[str]) -> Iterator[Finding]:
    """Check that the resource providers are registered. Raises SDK errors."""
    missing = [each for each in namespaces if not is_registered(clients, each)]
    if missing:
        what = f"{', '.join(missing)}: not registered in the subscription"
        yield warning("resource providers", what, "A deployment registers them. This takes one or two minutes.")
    else:
        yield ok("resource providers", "registered")


def check_permissions(clients: AzureClients, write: str, *, by_admin: bool) -> Iterator[Finding]:
    """Check that the account may create the app and, unless the admin user pulls, assign the pull role.

    write: the action that creates the running part. Raises SDK errors.
    """
    if group.describe_group(clients, clients.group) is None:
        yield ok("permissions", f"not checked: the resource group {clients.group} does not exist yet")
        return
    account = clients.account
    roles = AuthorizationManagementClient(account.credential, account.subscription, **account.options)
    granted = [
        (tuple(each.actions or ()), tuple(each.not_actions or ()))
        for each in roles.permissions.list_for_resource_group(clients.group)
    ]
    needed = (write,) if by_admin else (write, ASSIGN)
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


def _check_resource_group(clients: AzureClients) -> Iterator[Finding]:
    existing = group.describe_group(clients, clients.group)
    if existing is not None:
        whose = (
            "owned by the app"
            if not missing_tags(existing.tags, clients.app, TARGET)
            else "not owned by the app: it stays"
        )
        yield ok("resource group", f"{clients.group} is {whose}")
    elif clients.account.region:
        yield ok(
            "resource group", f"{clients.group} does not exist yet: a deployment creates it in {clients.account.region}"
        )
    else:
        todo = f"Set `region` in [{clients.account.table}], or AZURE_LOCATION."
        yield error("resource group", f"{clients.group} does not exist, and no region is set to create it in", todo)


def _check_registry(clients: AzureClients) -> Iterator[Finding]:
    existing = registry.get_registry(clients, clients.registry_key)
    if existing is None:
        yield ok("registry", f"{clients.registry} does not exist yet: `mldeploy push` creates it")
        return
    exchange_token(clients, existing.address)
    whose = "owned by the app" if not missing_tags(existing.tags, clients.app, TARGET) else "not owned by the app"
    yield ok("registry", f"{existing.address} accepts the credentials; it is {whose}")
    if existing.abac:
        yield warning("registry", ABAC_EFFECT, ABAC_ADVICE)
    if existing.admin:
        yield warning("registry", "its admin user is enabled: a shared password", "Disable it if you do not need it.")
