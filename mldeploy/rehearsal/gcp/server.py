"""The process of the Google Cloud stand-in: `python -m mldeploy.rehearsal.gcp.server FOLDER`."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack

from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.fake import FakeHost
from mldeploy.rehearsal.containers.host import ContainerHost
from mldeploy.rehearsal.containers.host import PublicAddressPool as PublicAddresses
from mldeploy.rehearsal.gateway.serving import Authority, create_server
from mldeploy.rehearsal.gcp.components import GcpComponents, GcpContext
from mldeploy.rehearsal.gcp.project import REGION
from mldeploy.rehearsal.gcp.rpc.server import serve
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

GRPC, GRPC_SERVER = 4567, 4568
"""Public port of all gRPC services, and the server's own port."""


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM."""
    return run_stand_in(StandInOptions.parse(arguments), _open)


def _open(options: StandInOptions, stack: ExitStack) -> RehearsalRecord:
    """Start everything. Closing the stack stops it."""
    name, token = uuid.uuid4().hex, secrets.token_urlsafe(32)
    authority = Authority(options.folder)
    addresses, server = claim_address(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry")
    stack.callback(registry.close)
    url, address = f"https://{addresses.own}:{GATEWAY_PORT}", f"{addresses.own}:{REGISTRY_PORT}"
    public = PublicAddresses(addresses.prefix)
    host: ContainerHost = EngineHost.connect() if options.containers else FakeHost(public)
    cloud = GcpComponents(
        GcpContext(
            name, options.pace, host, options.containers, public, authority, registry, url, address, options.folder
        )
    )
    stack.callback(cloud.close)
    serve(cloud.grpc, authority, (addresses.own, GRPC), (addresses.own, GRPC_SERVER), stack)
    server.app = cloud.control(token)
    serve_until_exit(server, stack)
    serve_until_exit(create_server(addresses.own, REGISTRY_PORT, cloud.registry_application), stack)
    return RehearsalRecord(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        credentials={"service_account": cloud.tokens.key_file},
        services={"grpc": f"{addresses.own}:{GRPC}", "compute": url, "resourcemanager": url, "iam": url},
        ca_bundle=str(authority.bundle),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
