"""The process of the Azure stand-in: `python -m mldeploy.rehearsal.azure.server FOLDER`."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain

from mldeploy.rehearsal.azure.adapter import AzureAdapter, AzureApplication
from mldeploy.rehearsal.azure.arm import authorization, autoscale, groups, identities, long_running
from mldeploy.rehearsal.azure.arm.application import ArmApplication
from mldeploy.rehearsal.azure.arm.conditions import condition_operations
from mldeploy.rehearsal.azure.arm.plans import Plans
from mldeploy.rehearsal.azure.arm.registries import RegistryOperations
from mldeploy.rehearsal.azure.arm.routes import Router
from mldeploy.rehearsal.azure.arm.state import REGION, SUBSCRIPTION, TENANT, SubscriptionState
from mldeploy.rehearsal.azure.arm.webapps import WebApps
from mldeploy.rehearsal.azure.arm.webconfig import WebConfig
from mldeploy.rehearsal.azure.containerapps import operations
from mldeploy.rehearsal.azure.containerapps.apps import ContainerApps
from mldeploy.rehearsal.azure.containerapps.context import ContainerAppsContext
from mldeploy.rehearsal.azure.containerapps.domains import ManagedCertificates
from mldeploy.rehearsal.azure.containerapps.environments import ManagedEnvironments
from mldeploy.rehearsal.azure.containerapps.log_stream import LogStreams
from mldeploy.rehearsal.azure.containerapps.revisions import Revisions
from mldeploy.rehearsal.azure.entra import Entra, ServicePrincipal
from mldeploy.rehearsal.azure.keyvault.secrets import VaultAdapter
from mldeploy.rehearsal.azure.keyvault.vaults import KeyVaults, VaultContext
from mldeploy.rehearsal.azure.registry_hosts import RegistryHosts
from mldeploy.rehearsal.azure.sites.container_spec import SiteContext
from mldeploy.rehearsal.azure.sites.front_end import SiteAddressPool
from mldeploy.rehearsal.azure.sites.site import StandInSites
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.fake import FakeHost
from mldeploy.rehearsal.containers.host import ContainerHost, PublicAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.control import ControlApi
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gateway.serving import Authority
from mldeploy.rehearsal.process import (
    GATEWAY_PORT,
    REGISTRY_PORT,
    StandInOptions,
    claim_address,
    run_stand_in,
    serve_until_exit,
)
from mldeploy.rehearsal.record import Process, RehearsalRecord
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import TokenSigner


def list_objects(account: SubscriptionState, registry_hosts: RegistryHosts) -> Iterator[StandInObject]:
    """Yield every resource and image, except the contents of a new subscription."""
    with account.lock:
        account.complete_due_changes()
        for each in account.list_resources():
            about = str((each.properties.get("principalType") and each.properties["scope"].rpartition("/")[2]) or "")
            yield StandInObject(each.kind.name, f"{about}/{each.name}" if about else each.name, dict(each.tags))
    for registry in registry_hosts.registries:
        for repository, digests in list(registry.repositories.items()):
            for digest in digests:
                yield StandInObject("Microsoft.ContainerRegistry/manifests", f"{registry.name}/{repository}@{digest}")


def main(arguments: Sequence[str]) -> int:
    """Serve until the process receives the signal to end."""
    return run_stand_in(StandInOptions.parse(arguments), _start)


def _start(options: StandInOptions, stack: ExitStack) -> RehearsalRecord:
    """Start all servers. The stack stops them."""
    name, token, app = (
        uuid.uuid4().hex,
        secrets.token_urlsafe(32),
        ServicePrincipal(str(uuid.uuid4()), secrets.token_urlsafe(32)),
    )
    authority = Authority(options.folder)
    addresses, server = claim_address(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry")
    stack.callback(registry.close)
    url, public = f"https://{addresses.own}:{GATEWAY_PORT}", PublicAddressPool(addresses.prefix)
    account, tokens, call_log = SubscriptionState(options.pace), TokenSigner(), CallLog()
    registry_hosts = RegistryHosts(registry, addresses.own, public, tokens, call_log)
    stack.callback(registry_hosts.shutdown)
    sites = SiteAddressPool(public, authority)
    stack.callback(sites.shutdown)
    host: ContainerHost = EngineHost.connect() if options.containers else FakeHost(public)
    vaults = KeyVaults(VaultContext(account, sites, VaultAdapter(tokens, url), call_log))
    context = ContainerAppsContext(name, url, account, host, registry_hosts, tokens, sites, public, authority, vaults)
    apps = ContainerApps(context)
    router = _build_router(SiteContext(name, account, host, registry_hosts, tokens, sites, vaults), context, apps)
    azure = AzureApplication(Entra(app, tokens, url), ArmApplication(account, router, url), LogStreams(context, apps))
    front = FaultProxy(azure, AzureAdapter(router, tokens, url), call_log)
    server.app = ControlApi(
        front,
        call_log,
        registry_hosts,
        token,
        partial(list_objects, account, registry_hosts),
        account.reset,
        {**condition_operations(account), "POST cooldown": lambda _: apps.scale_down()},
    )
    serve_until_exit(server, stack)
    return RehearsalRecord(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=f"{addresses.own}:{REGISTRY_PORT}",
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials=_credentials(app),
        services={"authority": url},
        ca_bundle=str(authority.bundle),
    )


def _credentials(app: ServicePrincipal) -> dict[str, str]:
    return {
        "tenant_id": TENANT,
        "client_id": app.client,
        "client_secret": app.secret,
        "subscription_id": SUBSCRIPTION,
    }


def _build_router(sites_context: SiteContext, apps_context: ContainerAppsContext, apps: ContainerApps) -> Router:
    """Return the router of all operations; more specific routes come first."""
    sites = StandInSites(sites_context)
    return Router(
        chain(
            long_running.ROUTES,
            groups.SUBSCRIPTION_ROUTES,
            groups.ROUTES,
            authorization.ROUTES,
            identities.ROUTES,
            RegistryOperations(sites_context.registry_hosts).routes,
            Plans(sites.apply_capacity).routes,
            WebConfig(sites).routes,
            WebApps(sites).routes,
            autoscale.ROUTES,
            operations.ROUTES,
            apps_context.vaults.routes,
            ManagedEnvironments(apps_context, apps).routes,
            ManagedCertificates(apps.host_of).routes,
            Revisions(apps, apps_context.url).routes,
            apps.routes,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
