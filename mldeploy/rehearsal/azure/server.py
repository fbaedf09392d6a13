"""The process that plays Azure: `python -m mldeploy.rehearsal.azure.server FOLDER`."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.azure.arm import authorization, autoscale, groups, identities, long, subscription
from mldeploy.rehearsal.azure.arm.account import REGION, SUBSCRIPTION, TENANT, Account
from mldeploy.rehearsal.azure.arm.application import ResourceManager
from mldeploy.rehearsal.azure.arm.plans import Plans
from mldeploy.rehearsal.azure.arm.registries import Registries
from mldeploy.rehearsal.azure.arm.routes import Router
from mldeploy.rehearsal.azure.arm.webapps import WebApps
from mldeploy.rehearsal.azure.arm.webconfig import WebConfig
from mldeploy.rehearsal.azure.contents import listed
from mldeploy.rehearsal.azure.entra import App, Entra
from mldeploy.rehearsal.azure.orders import orders
from mldeploy.rehearsal.azure.shelf import Shelf
from mldeploy.rehearsal.azure.sites.front import Fronts
from mldeploy.rehearsal.azure.sites.sites import Sites
from mldeploy.rehearsal.azure.sites.stage import Stage
from mldeploy.rehearsal.azure.wire import Azure, AzureLanguage
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.containers.paper import PaperHost
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.control import Control
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.place import Place, Process
from mldeploy.rehearsal.process import FRONT_DOOR, REGISTRY, REGISTRY_DOOR, Options, answer, claimed, play
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import Tokens


def main(arguments: Sequence[str]) -> int:
    """Play until it is told to end."""
    return play(Options.parse(arguments), _open)


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    name, token, app = uuid.uuid4().hex, secrets.token_urlsafe(32), App(str(uuid.uuid4()), secrets.token_urlsafe(32))
    authority = Authority(options.folder)
    addresses, server = claimed(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    url, public = f"https://{addresses.own}:{FRONT_DOOR}", Addresses(addresses.prefix)
    account, tokens, ledger = Account(options.pace), Tokens(), Ledger()
    shelf = Shelf(registry, addresses.own, public, tokens, ledger)
    stack.callback(shelf.end)
    fronts = Fronts(public, authority)
    stack.callback(fronts.end)
    host: Host = EngineHost(Engine.connect()) if options.containers else PaperHost(public)
    router = _router(Stage(name, account, host, shelf, tokens, fronts))
    azure = Azure(Entra(app, tokens, url), ResourceManager(account, router, url))
    front = FrontDoor(azure, AzureLanguage(router, tokens, url), ledger)
    server.app = Control(front, ledger, shelf, token, partial(listed, account, shelf), account.clear, orders(account))
    answer(server, stack)
    return Place(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=f"{addresses.own}:{REGISTRY_DOOR}",
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials=_credentials(app),
        services={"authority": url},
        ca_bundle=str(authority.bundle),
    )


def _credentials(app: App) -> dict[str, str]:
    return {
        "tenant_id": TENANT,
        "client_id": app.client,
        "client_secret": app.secret,
        "subscription_id": SUBSCRIPTION,
    }


def _router(stage: Stage) -> Router:
    """All that can be asked; what is more special comes first."""
    sites = Sites(stage)
    return Router(
        chain(
            long.ROUTES,
            subscription.ROUTES,
            groups.ROUTES,
            authorization.ROUTES,
            identities.ROUTES,
            Registries(stage.shelf).routes,
            Plans(sites.plan_changed).routes,
            WebConfig(sites).routes,
            WebApps(sites).routes,
            autoscale.ROUTES,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
