"""The doors of the registries that there are, each at an address of its own, before the one program that holds all."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Response

from mldeploy.rehearsal.azure.acr import Admission, Desk, Registry
from mldeploy.rehearsal.azure.arm.account import Account, Resource
from mldeploy.rehearsal.azure.arm.authorization import PULL, PUSH, may
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.interface import Transfer
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import cut, listening, serve
from mldeploy.rehearsal.process import REGISTRY_DOOR
from mldeploy.rehearsal.registry.door import RegistryDoor, refused
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

EXCHANGE = "/oauth2/exchange"
_TOKEN = "/oauth2/token"  # noqa: S105 - a path
_ACTIONS = {"pull": PULL, "push": PUSH}


@dataclass(frozen=True)
class Exchange:
    """A request for a registry's refresh token. Its name is the least permission that it is of any use with."""

    action: str = PULL
    is_writing: bool = False


class ExchangeLanguage:
    """How a registry says no to whoever exchanges a token."""

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Exchange:
        return Exchange()

    def turned_away(self, asked: Exchange) -> Application | None:
        return None  # the desk itself looks at the token

    def refusal(self, kind: Kind, asked: Exchange) -> Application:
        answers: dict[Kind, Response] = {
            Kind.THROTTLE: refused(429, "TOOMANYREQUESTS", "too many requests"),
            Kind.ERROR: refused(500, "UNKNOWN", "unknown error"),
            Kind.DENIED: refused(403, "DENIED", f"requested access to the resource is denied: {asked.action}"),
        }
        answers[Kind.THROTTLE].headers["Retry-After"] = "0"
        return answers[kind]


class Door:
    """A WSGI application: one registry's. exchange, desk: where tokens are exchanged. content: where its images are."""

    def __init__(self, registry: Registry, exchange: Application, desk: Application, content: RegistryDoor) -> None:
        self.registry = registry
        self._exchange = exchange
        self._desk = desk
        self.content = content

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == EXCHANGE:
            return self._exchange(environ, start)
        return (self._desk if path == _TOKEN else self.content)(environ, start)


@dataclass
class _Stand:
    """An address that registries have one after the other."""

    address: str
    server: BaseWSGIServer
    door: Door | None = None


class Shelf:
    """All registries. own: the rehearsal's own address, which the first registry gets. public: for the others."""

    def __init__(self, program: RegistryProgram, own: str, public: Addresses, tokens: Tokens, ledger: Ledger) -> None:
        self._program = program
        self._public = public
        self._tokens = tokens
        self._ledger = ledger
        self._mutex = threading.Lock()
        self._stands = [_stand(own)]
        self._gone: list[Transfer] = []

    def open(self, account: Account, resource: Resource) -> str:
        """A registry comes into being; its login server. It goes with `close`."""
        with self._mutex:
            stand = next((each for each in self._stands if each.door is None), None) or self._another()
            registry = _registry(account, resource, f"{stand.address}:{REGISTRY_DOOR}")
            admission = Admission(registry, self._tokens)
            desk = Desk(registry, admission, self._tokens)
            content = RegistryDoor(self._program.url, registry, admission)
            stand.door = Door(registry, FrontDoor(desk, ExchangeLanguage(), self._ledger), desk, content)
            stand.server.app = stand.door
            return registry.login

    def _another(self) -> _Stand:
        self._stands.append(_stand(self._public.take()))
        return self._stands[-1]

    def close(self, name: str) -> None:
        """It is gone with its images. May be repeated."""
        with self._mutex:
            stand = next((each for each in self._stands if each.door and each.door.registry.name == name), None)
            if stand is None or stand.door is None:
                return
            door, stand.door, stand.server.app = stand.door, None, nobody
            self._gone.extend(door.content.transfers)
            for repository in door.registry.repositories:
                if not any(repository in each.repositories for each in self.registries):
                    self._program.forget(repository)

    def credentials(self, name: str) -> tuple[str, Sequence[str]]:
        """The admin user's name and passwords."""
        return next(each.admin() for each in self.registries if each.name == name)

    @property
    def registries(self) -> tuple[Registry, ...]:
        return tuple(each.door.registry for each in list(self._stands) if each.door)

    def at(self, login: str) -> Registry | None:
        """The one whose login server this is."""
        return next((each for each in self.registries if each.login == login), None)

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """What came through the doors, registry by registry; of each the oldest first."""
        with self._mutex:
            doors = [each.door for each in self._stands if each.door]
            return (*self._gone, *(transfer for door in doors for transfer in door.content.transfers))

    def forget(self) -> None:
        """Nothing has come through."""
        with self._mutex:
            self._gone.clear()
            for each in self._stands:
                if each.door:
                    each.door.content.forget()

    def end(self) -> None:
        """Listen nowhere any more."""
        for each in self._stands:
            each.server.shutdown()
            each.server.server_close()


def nobody(environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    """There is no host of this name."""
    raise cut(environ["werkzeug.socket"])


def _stand(address: str) -> _Stand:
    server = listening(address, REGISTRY_DOOR, nobody)
    serve(server)
    return _Stand(address, server)


def _registry(account: Account, resource: Resource, login: str) -> Registry:
    passwords = (secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def allows(principal: str, action: str) -> bool:
        with account.lock:
            return may(account, principal, _ACTIONS[action], resource.id)

    def admin() -> tuple[str, tuple[str, ...]]:
        return (resource.name, passwords) if resource.properties.get("adminUserEnabled") else ("", ())

    return Registry(resource.name, login, allows, admin)
