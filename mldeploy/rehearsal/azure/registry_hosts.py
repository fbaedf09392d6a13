"""The hosts of the registries, each at a separate address, in front of the one registry program."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Response

from mldeploy.rehearsal.azure.acr import AcrAuthorizer, AcrTokenEndpoint, RegistryRecord
from mldeploy.rehearsal.azure.arm.authorization import PULL, PUSH, may_transfer
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState
from mldeploy.rehearsal.containers.fake import MANIFEST_TYPES
from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gateway.proxy import RegistryTransfer
from mldeploy.rehearsal.gateway.serving import break_connection, create_server, serve
from mldeploy.rehearsal.process import REGISTRY_PORT
from mldeploy.rehearsal.registry.gateway import RegistryGateway, registry_error
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

EXCHANGE = "/oauth2/exchange"
_PATIENCE = 60.0
_TOKEN = "/oauth2/token"  # noqa: S105 - a path
_ACTIONS = {"pull": PULL, "push": PUSH}


@dataclass(frozen=True)
class TokenExchangeRequest:
    """A request for a registry's refresh token. action: the least permission for which the token is of use."""

    action: str = PULL
    is_writing: bool = False


class TokenExchangeAdapter:
    """A ProtocolAdapter: the error responses of a registry's token exchange."""

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> TokenExchangeRequest:
        return TokenExchangeRequest()

    def authenticate(self, request: TokenExchangeRequest) -> Application | None:
        return None  # AcrTokenEndpoint authenticates the caller

    def refusal(self, kind: FaultKind, request: TokenExchangeRequest) -> Application:
        answers: dict[FaultKind, Response] = {
            FaultKind.THROTTLE: registry_error(429, "TOOMANYREQUESTS", "too many requests"),
            FaultKind.ERROR: registry_error(500, "UNKNOWN", "unknown error"),
            FaultKind.DENIED: registry_error(
                403, "DENIED", f"requested access to the resource is denied: {request.action}"
            ),
        }
        answers[FaultKind.THROTTLE].headers["Retry-After"] = "0"
        return answers[kind]


class RegistryHost:
    """A WSGI application: one registry. exchange, token_endpoint: the token endpoints. content: the images."""

    def __init__(
        self, registry: RegistryRecord, exchange: Application, token_endpoint: Application, content: RegistryGateway
    ) -> None:
        self.registry = registry
        self._exchange = exchange
        self._token_endpoint = token_endpoint
        self.content = content

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == EXCHANGE:
            return self._exchange(environ, start)
        return (self._token_endpoint if path == _TOKEN else self.content)(environ, start)


@dataclass
class _RegistryAddress:
    """An address that a new registry reuses after the previous one is deleted."""

    address: str
    server: BaseWSGIServer
    host: RegistryHost | None = None


class RegistryHosts:
    """All registries. own: the address of the first registry. public: the pool of addresses for the others."""

    def __init__(
        self, program: RegistryProgram, own: str, public: PublicAddressPool, tokens: TokenSigner, call_log: CallLog
    ) -> None:
        self._program = program
        self._public = public
        self._tokens = tokens
        self._call_log = call_log
        self._mutex = threading.Lock()
        self._addresses = [_open_address(own)]
        self._past_transfers: list[RegistryTransfer] = []

    def open(self, account: SubscriptionState, resource: ArmResource) -> str:
        """Start the host of a registry. Return its login server. `close` stops it."""
        with self._mutex:
            address = next((each for each in self._addresses if each.host is None), None) or self._add_address()
            registry = _create_registry(account, resource, f"{address.address}:{REGISTRY_PORT}")
            authorizer = AcrAuthorizer(registry, self._tokens)
            token_endpoint = AcrTokenEndpoint(registry, authorizer, self._tokens)
            content = RegistryGateway(self._program.upstream, registry, authorizer)
            address.host = RegistryHost(
                registry, FaultProxy(token_endpoint, TokenExchangeAdapter(), self._call_log), token_endpoint, content
            )
            address.server.app = address.host
            return registry.login

    def _add_address(self) -> _RegistryAddress:
        self._addresses.append(_open_address(self._public.take()))
        return self._addresses[-1]

    def close(self, name: str) -> None:
        """Stop the host of a registry and delete its images. May be repeated."""
        with self._mutex:
            address = next((each for each in self._addresses if each.host and each.host.registry.name == name), None)
            if address is None or address.host is None:
                return
            host, address.host, address.server.app = address.host, None, cut_connection
            self._past_transfers.extend(host.content.transfers)
            for repository in host.registry.repositories:
                if not any(repository in each.repositories for each in self.registries):
                    self._program.forget(repository)

    def credentials(self, name: str) -> tuple[str, Sequence[str]]:
        """Return the admin user's name and passwords."""
        return next(each.admin() for each in self.registries if each.name == name)

    @property
    def registries(self) -> tuple[RegistryRecord, ...]:
        return tuple(each.host.registry for each in list(self._addresses) if each.host)

    def find(self, login: str) -> RegistryRecord | None:
        """Return the registry of a login server."""
        return next((each for each in self.registries if each.login == login), None)

    @property
    def transfers(self) -> tuple[RegistryTransfer, ...]:
        """The requests to the registries: those of deleted registries, then registry by registry, oldest first."""
        with self._mutex:
            hosts = [each.host for each in self._addresses if each.host]
            return (*self._past_transfers, *(transfer for host in hosts for transfer in host.content.transfers))

    def forget(self) -> None:
        """Clear the recorded transfers."""
        with self._mutex:
            self._past_transfers.clear()
            for each in self._addresses:
                if each.host:
                    each.host.content.forget()

    def shutdown(self) -> None:
        """Stop all servers."""
        for each in self._addresses:
            each.server.shutdown()
            each.server.server_close()


def request_manifest(hosts: RegistryHosts, image: str, user: str, password: str) -> int:
    """Request the manifest of an image with the credentials of a pull. Return the status; 0: no answer.

    An engine that has the digest pulls without authorization, so the platform asks before each pull. 200 for an image
    of a registry that the rehearsal does not play.
    """
    login, _, path = image.partition("/")
    if hosts.find(login) is None:
        return 200
    name, _, reference = path.partition("@") if "@" in path else path.partition(":")
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (user, password) if user else None
        url = f"http://{login}/v2/{name}/manifests/{reference or 'latest'}"
        try:
            return session.get(url, headers={"Accept": MANIFEST_TYPES}, timeout=_PATIENCE).status_code
        except requests.RequestException:  # the registry was deleted meanwhile
            return 0


def cut_connection(environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    """Cut the connection, as for an unknown host name."""
    raise break_connection(environ["werkzeug.socket"])


def _open_address(address: str) -> _RegistryAddress:
    server = create_server(address, REGISTRY_PORT, cut_connection)
    serve(server)
    return _RegistryAddress(address, server)


def _create_registry(account: SubscriptionState, resource: ArmResource, login: str) -> RegistryRecord:
    passwords = (secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def allows(principal: str, action: str) -> bool:
        with account.lock:
            return may_transfer(account, principal, _ACTIONS[action], resource)

    def admin() -> tuple[str, tuple[str, ...]]:
        return (resource.name, passwords) if resource.properties.get("adminUserEnabled") else ("", ())

    return RegistryRecord(resource.name, login, allows, admin)
