"""What `mldeploy doctor` looks at on Azure: whose account it is, the subscription, the registry, what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.azure import group, registry
from mldeploy.providers.azure.account import enter
from mldeploy.providers.azure.cloud import AzureClients
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import TARGET
from mldeploy.providers.azure.registries import exchange
from mldeploy.providers.azure.resource_provider import REGISTRIES, is_registered
from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.azure.tags import foreign
from mldeploy.providers.checks import Finding, error, ok, warning

SECONDS = 40.0
"""`az` takes a second or two to hand out a token, a region may be far away, and the SDK tries again by itself."""


def look(target: str, project: Project, settings: AzureSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """The account, its subscription and its registry, as every target on Azure needs them. Reads only."""
    try:
        account = enter(f"target.{target}", settings, endpoints)
    except MldeployError as problem:
        yield error("credentials", problem.what, problem.todo)
        return
    yield ok("credentials", f"{account.user}, subscription {account.subscription}")
    clients = AzureClients.in_account(account, project, settings)
    yield from asked("resource providers", lambda: registered(clients, (REGISTRIES,)))
    yield from asked("resource group", lambda: _group(clients))
    yield from asked("registry", lambda: _registry(clients))


def asked(subject: str, ask: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What was found, or what was in the way of finding it."""
    try:
        with azure_errors("Azure"):
            return tuple(ask())
    except MldeployError as problem:
        return (error(subject, problem.what, problem.todo),)


def registered(clients: AzureClients, namespaces: Iterable[str]) -> Iterator[Finding]:
    """Raises what the SDK raises."""
    missing = [each for each in namespaces if not is_registered(clients, each)]
    if missing:
        what = f"{', '.join(missing)}: not registered in the subscription"
        yield warning("resource providers", what, "A deployment registers it; that takes a minute or two.")
    else:
        yield ok("resource providers", "registered")


def _group(clients: AzureClients) -> Iterator[Finding]:
    there = group.describe(clients, clients.group)
    if there is not None:
        whose = "the app's" if not foreign(there.tags, clients.app, TARGET) else "not the app's: it stays"
        yield ok("resource group", f"{clients.group} is {whose}")
    elif clients.account.region:
        yield ok("resource group", f"there is no {clients.group} yet: it is made in {clients.account.region}")
    else:
        todo = f"Name one: `region` in [{clients.account.table}], or AZURE_LOCATION."
        yield error("resource group", f"there is no {clients.group}, and no region to make it in is named", todo)


def _registry(clients: AzureClients) -> Iterator[Finding]:
    there = registry.at(clients, clients.registry_key)
    if there is None:
        yield ok("registry", f"there is no {clients.registry} yet: `mldeploy push` makes it")
        return
    exchange(clients, there.address)
    whose = "the app's" if not foreign(there.tags, clients.app, TARGET) else "not the app's: it is used as it is"
    yield ok("registry", f"{there.address} lets us in; it is {whose}")
    if there.admin:
        yield warning(
            "registry", "its admin user is on: one password for everybody", "Switch it off if nobody needs it."
        )
