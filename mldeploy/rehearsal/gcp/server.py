"""The process that plays Google Cloud: `python -m mldeploy.rehearsal.gcp.server FOLDER`."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses as PublicAddresses
from mldeploy.rehearsal.containers.paper import PaperHost
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.serving import listening
from mldeploy.rehearsal.gcp.cloud import Cloud, Ground
from mldeploy.rehearsal.gcp.project import REGION
from mldeploy.rehearsal.gcp.rpc.server import serve
from mldeploy.rehearsal.place import Place, Process
from mldeploy.rehearsal.process import FRONT_DOOR, REGISTRY, REGISTRY_DOOR, Options, answer, claimed, play
from mldeploy.rehearsal.registry.program import RegistryProgram

GRPC, GRPC_SERVER = 4567, 4568
"""The port of all gRPC services, and the one that is behind it."""


def main(arguments: Sequence[str]) -> int:
    """Play until it is told to end."""
    return play(Options.parse(arguments), _open)


def _open(options: Options, stack: ExitStack) -> Place:
    """Start everything; the stack ends it again."""
    name, token = uuid.uuid4().hex, secrets.token_urlsafe(32)
    authority = Authority(options.folder)
    addresses, server = claimed(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry", f"{addresses.own}:{REGISTRY}")
    stack.callback(registry.close)
    url, address = f"https://{addresses.own}:{FRONT_DOOR}", f"{addresses.own}:{REGISTRY_DOOR}"
    public = PublicAddresses(addresses.prefix)
    host: Host = EngineHost(Engine.connect()) if options.containers else PaperHost(public)
    cloud = Cloud(Ground(name, options.pace, host, options.containers, public, authority, registry, url, address))
    stack.callback(cloud.close)
    serve(cloud.grpc, authority, (addresses.own, GRPC), (addresses.own, GRPC_SERVER), stack)
    server.app = cloud.control(token)
    answer(server, stack)
    answer(listening(addresses.own, REGISTRY_DOOR, cloud.registry_door), stack)
    return Place(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        credentials={"service_account": cloud.tokens.key_file},
        services={"grpc": f"{addresses.own}:{GRPC}", "compute": url, "resourcemanager": url},
        ca_bundle=str(authority.bundle),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
