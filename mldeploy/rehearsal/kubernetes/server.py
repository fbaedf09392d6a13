"""The process of the Kubernetes stand-in: `python -m mldeploy.rehearsal.kubernetes.server FOLDER`."""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.fake import FakeHost
from mldeploy.rehearsal.containers.host import ContainerHost
from mldeploy.rehearsal.containers.host import PublicAddressPool as PublicAddresses
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.control import ControlApi
from mldeploy.rehearsal.gateway.serving import Authority, create_server
from mldeploy.rehearsal.kubernetes.cluster import ClusterContext, StandInCluster
from mldeploy.rehearsal.process import (
    GATEWAY_PORT,
    REGISTRY_PORT,
    StandInOptions,
    claim_address,
    run_stand_in,
    serve_until_exit,
)
from mldeploy.rehearsal.record import Process, RehearsalRecord
from mldeploy.rehearsal.registry.gateway import Manifest, RegistryGateway, challenge, parse_basic_auth, registry_error
from mldeploy.rehearsal.registry.program import RegistryProgram

USER = "rehearsal"
HARSH = "harsh"


def main(arguments: Sequence[str]) -> int:
    """Run the stand-in until it is stopped."""
    return run_stand_in(StandInOptions.parse(arguments, [HARSH]), _open)


def _open(options: StandInOptions, stack: ExitStack) -> RehearsalRecord:
    """Start all servers; the stack stops them."""
    name, control, token = uuid.uuid4().hex, secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    authority = Authority(options.folder)
    addresses, server = claim_address(authority.context)
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry")
    stack.callback(registry.close)
    authorizer = SingleUserAuthorizer()
    registry_door = RegistryGateway(registry.upstream, AnyRepository(), authorizer)
    public, ledger = PublicAddresses(addresses.prefix), CallLog()
    host: ContainerHost = EngineHost.connect() if options.containers else FakeHost(public)
    context = ClusterContext(
        name, host, public, authority, ledger, options.pace, options.containers, HARSH in options.flags
    )
    cluster = StandInCluster(context, lambda shown: hmac.compare_digest(shown.encode(), token.encode()))
    cluster.start()
    stack.callback(cluster.stop)

    def reset() -> None:
        cluster.reset()
        registry.forget()

    server.app = ControlApi(cluster, ledger, registry_door, control, cluster.contents, reset, _commands(cluster))
    serve_until_exit(server, stack)
    serve_until_exit(create_server(addresses.own, REGISTRY_PORT, registry_door), stack)
    url, address = f"https://{addresses.own}:{GATEWAY_PORT}", f"{addresses.own}:{REGISTRY_PORT}"
    write(options.folder, url, authority.pem, token)
    return RehearsalRecord(
        url=url,
        name=name,
        region="",
        token=control,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        credentials={"token": token, "registry_user": USER, "registry_password": authorizer.password},
        services={"registry": address},
        ca_bundle=str(authority.bundle),
    )


def _commands(cluster: StandInCluster) -> Mapping[str, Callable[[Request], object]]:
    """Control commands of a cluster besides faults."""
    return {
        "GET permissions": lambda _: cluster.used_permissions(),
        "POST expire": lambda _: cluster.expire(),
        "POST lack": lambda request: cluster.lack(request.args["group"]),
        "POST restart": lambda request: cluster.restart(float(request.args["seconds"])),
    }


class AnyRepository:
    """`mldeploy.rehearsal.registry.gateway.RepositoryDirectory`: every repository exists."""

    def missing(self, repository: str) -> str:
        return ""

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        """Ignore pushes."""


class SingleUserAuthorizer:
    """`mldeploy.rehearsal.registry.gateway.RegistryAuthorizer`: one user with one password, for pushes and pulls."""

    def __init__(self) -> None:
        self.password = secrets.token_urlsafe(32)

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if "Authorization" not in request.headers:
            return challenge('Basic realm="rehearsal"')
        if parse_basic_auth(request.headers["Authorization"]) != (USER, self.password):
            return registry_error(401, "UNAUTHORIZED", "authentication required")
        return None


FILE, NAME = "kubeconfig", "rehearsal"


def write(folder: Path, url: str, authority: bytes, token: str) -> Path:
    """Write a kubeconfig file, readable only by its owner. Returns its path."""
    path = folder / FILE
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": {"server": url, "certificate-authority-data": _coded(authority)}}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def _coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
