"""The process of the Docker Hub stand-in: `python -m mldeploy.rehearsal.dockerhub.server FOLDER`."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

from mldeploy.rehearsal.dockerhub.adapter import HubAdapter
from mldeploy.rehearsal.dockerhub.api import BEARER_SECONDS, HubApi, add_foreign_repository
from mldeploy.rehearsal.dockerhub.registry import (
    PULLS,
    TOKEN_PATH,
    TOKEN_SECONDS,
    HubTokenAuthorizer,
    HubTokenEndpoint,
    PullRateLimiter,
)
from mldeploy.rehearsal.dockerhub.repositories import USER, Accounts, HubRepositoryStore
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.control import ControlApi
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.serving import Authority, create_server
from mldeploy.rehearsal.process import (
    GATEWAY_PORT,
    REGISTRY_PORT,
    StandInOptions,
    claim_address,
    run_stand_in,
    serve_until_exit,
)
from mldeploy.rehearsal.record import Process, RehearsalRecord
from mldeploy.rehearsal.registry.gateway import RegistryGateway
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True)
class HubComponents:
    """The components of the stand-in, without the servers."""

    accounts: Accounts
    bearers: TokenSigner
    tokens: TokenSigner
    repositories: HubRepositoryStore
    api: HubApi
    token_endpoint: HubTokenEndpoint
    gateway: RegistryGateway
    counter: PullRateLimiter
    adapter: HubAdapter

    @classmethod
    def create(cls, registry: RegistryProgram, address: str, pace: float) -> HubComponents:
        """Create the components. address: HOST:PORT of the registry."""
        accounts, bearers, tokens = Accounts(), TokenSigner(BEARER_SECONDS), TokenSigner(TOKEN_SECONDS)
        repositories = HubRepositoryStore(registry, pace)
        api, token_endpoint = HubApi(accounts, bearers, repositories), HubTokenEndpoint(accounts, repositories, tokens)
        authorizer = HubTokenAuthorizer(tokens, address)
        gateway = RegistryGateway(registry.upstream, repositories, authorizer)
        adapter = HubAdapter(lambda authorization: api.caller(authorization) is not None)
        components = cls(
            accounts,
            bearers,
            tokens,
            repositories,
            api,
            token_endpoint,
            gateway,
            PullRateLimiter(gateway, authorizer, token_endpoint),
            adapter,
        )
        components.reset()
        return components

    def front(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """A WSGI application: the API and the registry's token endpoint at one address."""
        application = self.token_endpoint if environ.get("PATH_INFO") == TOKEN_PATH else self.api
        return application(environ, start)

    def reset(self) -> None:
        """Reset to a new account. Its first token stays valid."""
        self.repositories.reset()
        self.accounts.reset()
        self.counter.left, self.adapter.wait = PULLS, 0.0
        add_foreign_repository(self.repositories)

    def expire(self) -> None:
        """Invalidate all short-lived tokens."""
        self.bearers.expire()
        self.tokens.expire()

    @property
    def control_operations(self) -> Mapping[str, Callable[[Request], object]]:
        """The control operations besides faults."""

        def issue_token(request: Request) -> str:
            return self.accounts.issue_token(**request.get_json())

        def set_private_limit(request: Request) -> None:
            self.repositories.limit = int(request.get_json()["private"])

        def set_pulls(request: Request) -> None:
            self.counter.left = int(request.get_json()["left"])

        def set_wait(request: Request) -> None:
            self.adapter.wait = float(request.get_json()["seconds"])

        def set_deletion_delay(request: Request) -> None:
            self.repositories.pace = float(request.get_json()["seconds"])

        return {
            "POST linger": set_deletion_delay,
            "POST token": issue_token,
            "POST limit": set_private_limit,
            "POST pulls": set_pulls,
            "POST wait": set_wait,
            "POST expire": lambda _: self.expire(),
        }


def main(arguments: Sequence[str]) -> int:
    """Serve until the process receives the signal to end."""
    return run_stand_in(StandInOptions.parse(arguments), _open)


def _open(options: StandInOptions, stack: ExitStack) -> RehearsalRecord:
    """Start all servers. The stack stops them."""
    token, authority = secrets.token_urlsafe(32), Authority(options.folder)
    addresses, server = claim_address(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry")
    stack.callback(registry.close)
    url, address = f"https://{addresses.own}:{GATEWAY_PORT}", f"{addresses.own}:{REGISTRY_PORT}"
    components, call_log = HubComponents.create(registry, address, options.pace), CallLog()
    front = FaultProxy(components.front, components.adapter, call_log)
    server.app = ControlApi(
        front,
        call_log,
        components.gateway,
        token,
        components.repositories.list_objects,
        components.reset,
        components.control_operations,
    )
    serve_until_exit(server, stack)
    serve_until_exit(create_server(addresses.own, REGISTRY_PORT, components.counter), stack)
    return RehearsalRecord(
        url=url,
        name=uuid.uuid4().hex,
        region="",
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials={"username": USER, "token": components.accounts.token},
        services={"auth": url, "registry": address},
        ca_bundle=str(authority.bundle),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
