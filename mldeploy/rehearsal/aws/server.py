"""The process that plays AWS: `python -m mldeploy.rehearsal.aws.server FOLDER`. Nothing else loads moto."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack

# moto reads its settings when it is imported.
os.environ.update(MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_EC2_LOAD_DEFAULT_AMIS="false")

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import autoscaling, contents, ec2, ecr, elb, iam
from mldeploy.rehearsal.aws.ecs import backend as ecs
from mldeploy.rehearsal.aws.ecs.stage import Stage
from mldeploy.rehearsal.aws.wire import AwsLanguage
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses as PublicAddresses
from mldeploy.rehearsal.containers.paper import PaperHost
from mldeploy.rehearsal.door.control import Control
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening
from mldeploy.rehearsal.place import Place, Process
from mldeploy.rehearsal.process import FRONT_DOOR, REGISTRY, REGISTRY_DOOR, Options, answer, claimed, play
from mldeploy.rehearsal.registry.door import RegistryDoor
from mldeploy.rehearsal.registry.program import RegistryProgram

REGION = "us-east-1"
STOCK = "stock"


def main(arguments: Sequence[str]) -> int:
    """Play until it is told to end. `--stock`: moto as it is, without anything of ours but the front door."""
    return play(Options.parse(arguments, [STOCK]), _open)


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    name, key, token = uuid.uuid4().hex, f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(32)
    addresses, server = claimed()
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    passwords = ecr.passwords()
    registry_door = RegistryDoor(registry.url, ecr.Repositories(REGION), passwords)
    address = f"{addresses.own}:{REGISTRY_DOOR}"
    if STOCK not in options.flags:
        public = PublicAddresses(addresses.prefix)
        host: Host = EngineHost(Engine.connect()) if options.containers else PaperHost(public)
        stage = Stage(name, REGION, options.pace, host, public, passwords)
        ecr.install(registry, passwords, address)
        ec2.install()
        iam.install()
        elb.install(stage)
        autoscaling.install()
        ecs.install(stage)
    ledger = Ledger()
    front = FrontDoor(DomainDispatcherApplication(create_backend_app), AwsLanguage(key), ledger)
    server.app = Control(front, ledger, registry_door, token, lambda: contents.listed(REGION), _reset)
    answer(server, stack)
    answer(listening(addresses.own, REGISTRY_DOOR, registry_door), stack)
    url = f"http://{addresses.own}:{FRONT_DOOR}"
    return Place(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials={"aws_access_key_id": key, "aws_secret_access_key": secrets.token_urlsafe(32)},
    )


def _reset() -> None:
    ecs.clear()
    ecr.clear()
    elb.clear()
    backends.get_backend("moto_api")["global"].reset()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
