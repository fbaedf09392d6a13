"""The process that plays Docker Hub: `python -m mldeploy.rehearsal.dockerhub.server FOLDER`."""

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

from mldeploy.rehearsal.dockerhub.accounts import USER, Accounts
from mldeploy.rehearsal.dockerhub.api import BEARER_SECONDS, Api, furnish
from mldeploy.rehearsal.dockerhub.registry import PULLS, TOKEN_PATH, TOKEN_SECONDS, Bearers, Counter, Desk
from mldeploy.rehearsal.dockerhub.repositories import Repositories
from mldeploy.rehearsal.dockerhub.wire import HubLanguage
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.control import Control
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening
from mldeploy.rehearsal.place import Place, Process
from mldeploy.rehearsal.process import FRONT_DOOR, REGISTRY, REGISTRY_DOOR, Options, answer, claimed, play
from mldeploy.rehearsal.registry.door import RegistryDoor
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True)
class Stage:
    """Everything but the servers."""

    accounts: Accounts
    bearers: Tokens
    tokens: Tokens
    repositories: Repositories
    api: Api
    desk: Desk
    door: RegistryDoor
    counter: Counter
    language: HubLanguage

    @classmethod
    def made(cls, registry: RegistryProgram, address: str, pace: float) -> Stage:
        """address: HOST:PORT of the registry's door."""
        accounts, bearers, tokens = Accounts(), Tokens(BEARER_SECONDS), Tokens(TOKEN_SECONDS)
        repositories = Repositories(registry, pace)
        api, desk = Api(accounts, bearers, repositories), Desk(accounts, repositories, tokens)
        admission = Bearers(tokens, address)
        door = RegistryDoor(registry.url, repositories, admission)
        language = HubLanguage(lambda authorization: api.caller(authorization) is not None)
        made = cls(accounts, bearers, tokens, repositories, api, desk, door, Counter(door, admission, desk), language)
        made.reset()
        return made

    def front(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """A WSGI application: the API, and at the same address the server that gives out tokens for the registry."""
        answers = self.desk if environ.get("PATH_INFO") == TOKEN_PATH else self.api
        return answers(environ, start)

    def reset(self) -> None:
        """A new account; its first token stays good."""
        self.repositories.reset()
        self.accounts.reset()
        self.counter.left, self.language.wait = PULLS, 0.0
        furnish(self.repositories)

    def expire(self) -> None:
        """No short-lived token is good any more."""
        self.bearers.expire()
        self.tokens.expire()

    @property
    def orders(self) -> Mapping[str, Callable[[Request], object]]:
        """What can be ordered besides faults."""

        def give(request: Request) -> str:
            return self.accounts.give(**request.get_json())

        def limit(request: Request) -> None:
            self.repositories.limit = int(request.get_json()["private"])

        def pulls(request: Request) -> None:
            self.counter.left = int(request.get_json()["left"])

        def wait(request: Request) -> None:
            self.language.wait = float(request.get_json()["seconds"])

        def linger(request: Request) -> None:
            self.repositories.pace = float(request.get_json()["seconds"])

        return {
            "POST linger": linger,
            "POST token": give,
            "POST limit": limit,
            "POST pulls": pulls,
            "POST wait": wait,
            "POST expire": lambda _: self.expire(),
        }


def main(arguments: Sequence[str]) -> int:
    """Play until it is told to end."""
    return play(Options.parse(arguments), _open)


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    token, authority = secrets.token_urlsafe(32), Authority(options.folder)
    addresses, server = claimed(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    url, address = f"https://{addresses.own}:{FRONT_DOOR}", f"{addresses.own}:{REGISTRY_DOOR}"
    stage, ledger = Stage.made(registry, address, options.pace), Ledger()
    front = FrontDoor(stage.front, stage.language, ledger)
    server.app = Control(front, ledger, stage.door, token, stage.repositories.contents, stage.reset, stage.orders)
    answer(server, stack)
    answer(listening(addresses.own, REGISTRY_DOOR, stage.counter), stack)
    return Place(
        url=url,
        name=uuid.uuid4().hex,
        region="",
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials={"username": USER, "token": stage.accounts.token},
        services={"auth": url, "registry": address},
        ca_bundle=str(authority.bundle),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
