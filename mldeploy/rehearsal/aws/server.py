"""The process that plays AWS: `python -m mldeploy.rehearsal.aws.server FOLDER`. Nothing else loads moto."""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import sys
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# moto reads its settings when it is imported.
os.environ.update(MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_EC2_LOAD_DEFAULT_AMIS="false")

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer

from mldeploy.core.errors import MldeployError
from mldeploy.image.engine import Engine
from mldeploy.rehearsal import background
from mldeploy.rehearsal.aws import contents, ec2, ecr, elb, iam
from mldeploy.rehearsal.aws.control import Control
from mldeploy.rehearsal.aws.ecs import backend as ecs
from mldeploy.rehearsal.aws.ecs.host import EngineHost, Host
from mldeploy.rehearsal.aws.ecs.network import Addresses as PublicAddresses
from mldeploy.rehearsal.aws.ecs.paper import PaperHost
from mldeploy.rehearsal.aws.ecs.stage import Stage
from mldeploy.rehearsal.aws.frontdoor import FrontDoor
from mldeploy.rehearsal.aws.registry import RegistryProgram
from mldeploy.rehearsal.aws.registry_door import RegistryDoor
from mldeploy.rehearsal.aws.serving import listening, serve
from mldeploy.rehearsal.errors import RehearsalError
from mldeploy.rehearsal.place import Place, Process

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


REGION = "us-east-1"
FRONT_DOOR, REGISTRY_DOOR, REGISTRY = 4566, 5000, 5001
"""The ports on a rehearsal's own address."""


@dataclass(frozen=True)
class Options:
    """What a rehearsal is like; `rehearsing` says what each of them means."""

    folder: Path
    pace: float
    stock: bool
    containers: bool
    tied: bool

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Options:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("folder", type=Path)
        parser.add_argument("--pace", type=float, default=1.0)
        parser.add_argument("--stock", action="store_true")
        parser.add_argument("--no-containers", dest="containers", action="store_false")
        parser.add_argument("--tied", action="store_true", help="end when standard input ends")
        return cls(**vars(parser.parse_args(arguments)))


class Addresses:
    """A part of 127.0.0.0/8 that no other rehearsal has, 127.A.B.0/24: its owner listens at the front door's port."""

    def __init__(self) -> None:
        self.prefix = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}"  # noqa: S311 - to meet nobody

    @property
    def own(self) -> str:
        """Where the front door and the registry are."""
        return f"{self.prefix}.1"


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM, or until standard input ends if tied. Prints the one line that `background` waits for."""
    options = Options.parse(arguments)
    if not options.tied and os.fork():
        return 0
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        with ExitStack() as stack:
            place = _open(options, stack)
            place.write(options.folder)
            sys.stdout.write(f"{background.READY}\n")
            sys.stdout.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if options.tied:
                threading.Thread(target=_until_alone, args=(ended,), daemon=True).start()
            ended.wait()
    except MldeployError as error:
        sys.stdout.write(json.dumps([error.what, error.todo]) + "\n")
        return 1
    return 0


def _until_alone(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    name, key, token = uuid.uuid4().hex, f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(32)
    addresses, server = _claimed()
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    registry_door = RegistryDoor(registry.url, ecr.Repositories(REGION))
    address = f"{addresses.own}:{REGISTRY_DOOR}"
    if not options.stock:
        public = PublicAddresses(addresses.prefix)
        host: Host = EngineHost(Engine.connect()) if options.containers else PaperHost(public)
        stage = Stage(name, REGION, options.pace, host, public, registry_door)
        ecr.install(registry, registry_door, address)
        ec2.install()
        iam.install()
        elb.install(stage)
        ecs.install(stage)
    front = FrontDoor(DomainDispatcherApplication(create_backend_app), key)
    server.app = Control(front, registry_door, token, lambda: contents.listed(REGION), _reset)
    _serve(server, stack)
    _serve(listening(addresses.own, REGISTRY_DOOR, registry_door), stack)
    return Place(
        url=f"http://{addresses.own}:{FRONT_DOOR}",
        name=name,
        region=REGION,
        key=key,
        secret=secrets.token_urlsafe(32),
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
    )


def _claimed() -> tuple[Addresses, BaseWSGIServer]:
    """An address that nobody else has, and the front door's server on it, which does not answer yet."""
    for _ in range(100):
        addresses = Addresses()
        try:
            return addresses, listening(addresses.own, FRONT_DOOR, _nobody)
        except OSError:
            continue
    todo = "On Linux every address that begins with 127. can be used; on other systems a rehearsal cannot run yet."
    raise RehearsalError("rehearsal", "no address of this machine can be listened on", todo)


def _nobody(_environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    raise ConnectionResetError


def _serve(server: BaseWSGIServer, stack: ExitStack) -> None:
    serve(server)
    stack.callback(server.shutdown)


def _reset() -> None:
    ecs.clear()
    ecr.clear()
    elb.clear()
    backends.get_backend("moto_api")["global"].reset()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
