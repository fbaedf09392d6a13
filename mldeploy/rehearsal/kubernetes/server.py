"""The process that plays a Kubernetes cluster: `python -m mldeploy.rehearsal.kubernetes.server FOLDER`."""

from __future__ import annotations

import hmac
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from werkzeug.wrappers import Request

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses as PublicAddresses
from mldeploy.rehearsal.containers.paper import PaperHost
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.control import Control
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening
from mldeploy.rehearsal.kubernetes import kubeconfig
from mldeploy.rehearsal.kubernetes.cluster import Cluster, Ground
from mldeploy.rehearsal.kubernetes.registry import USER, Everything, Members
from mldeploy.rehearsal.place import Place, Process
from mldeploy.rehearsal.process import FRONT_DOOR, REGISTRY, REGISTRY_DOOR, Options, answer, claimed, play
from mldeploy.rehearsal.registry.door import RegistryDoor
from mldeploy.rehearsal.registry.program import RegistryProgram


def main(arguments: Sequence[str]) -> int:
    """Play until it is told to end."""
    return play(Options.parse(arguments), _open)


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    name, control, token = uuid.uuid4().hex, secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    authority = Authority(options.folder)
    addresses, server = claimed(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    members = Members()
    registry_door = RegistryDoor(registry.url, Everything(), members)
    public, ledger = PublicAddresses(addresses.prefix), Ledger()
    host: Host = EngineHost(Engine.connect()) if options.containers else PaperHost(public)
    ground = Ground(name, host, public, authority, ledger, options.pace, real=options.containers)
    cluster = Cluster(ground, lambda shown: hmac.compare_digest(shown.encode(), token.encode()))
    cluster.start()
    stack.callback(cluster.stop)

    def reset() -> None:
        cluster.reset()
        registry.forget()

    server.app = Control(cluster, ledger, registry_door, control, cluster.contents, reset, _orders(cluster))
    answer(server, stack)
    answer(listening(addresses.own, REGISTRY_DOOR, registry_door), stack)
    url, address = f"https://{addresses.own}:{FRONT_DOOR}", f"{addresses.own}:{REGISTRY_DOOR}"
    kubeconfig.write(options.folder, url, authority.pem, token)
    return Place(
        url=url,
        name=name,
        region="",
        token=control,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials={"token": token, "registry_user": USER, "registry_password": members.password},
        services={"registry": address},
        ca_bundle=str(authority.bundle),
    )


def _orders(cluster: Cluster) -> Mapping[str, Callable[[Request], object]]:
    """What can be ordered of a cluster besides faults."""
    return {
        "POST expire": lambda _: cluster.expire(),
        "POST lack": lambda request: cluster.lack(request.args["group"]),
        "POST restart": lambda request: cluster.restart(float(request.args["seconds"])),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
