"""The process of the AWS stand-in: `python -m mldeploy.rehearsal.aws.server FOLDER`. Only this process loads moto."""

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

from mldeploy.rehearsal.aws import acm, autoscaling, contents, ec2, ecr, elb, harsh, iam, route53
from mldeploy.rehearsal.aws.adapter import AwsAdapter
from mldeploy.rehearsal.aws.authorization.principals import IamUsers
from mldeploy.rehearsal.aws.ecs import backend as ecs
from mldeploy.rehearsal.aws.ecs.starter import TaskContext
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.fake import FakeHost
from mldeploy.rehearsal.containers.host import ContainerHost
from mldeploy.rehearsal.containers.host import PublicAddressPool as PublicAddresses
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

REGION = "us-east-1"
STOCK, HARSH = "stock", "harsh"


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM. `--stock`: unmodified moto behind the gateway. `--harsh`: a new account in a busy region."""
    return run_stand_in(StandInOptions.parse(arguments, [STOCK, HARSH]), _open)


def _open(options: StandInOptions, stack: ExitStack) -> RehearsalRecord:
    """Start everything. Closing the stack stops it."""
    name, key, token = uuid.uuid4().hex, f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(32)
    authority = Authority(options.folder)
    addresses, server = claim_address()
    stack.callback(server.server_close)
    registry = RegistryProgram(options.folder / "registry")
    stack.callback(registry.close)
    passwords = ecr.create_passwords()
    registry_gateway = RegistryGateway(registry.upstream, ecr.EcrRegistryRepositories(REGION), passwords)
    address = f"{addresses.own}:{REGISTRY_PORT}"
    if STOCK not in options.flags:
        public = PublicAddresses(addresses.prefix)
        host: ContainerHost = EngineHost.connect() if options.containers else FakeHost(public)
        context = TaskContext(name, REGION, options.pace, host, public, passwords)
        ecr.install(registry, passwords, address)
        ec2.install()
        iam.install()
        elb.install(context, authority)
        route53.install()
        acm.install()
        autoscaling.install()
        ecs.install(context)
        harsh.install(enabled=HARSH in options.flags)
        harsh.HARSH.begin(REGION)
        route53.begin()
    call_log, users = CallLog(), IamUsers()
    front = FaultProxy(DomainDispatcherApplication(create_backend_app), AwsAdapter(key, users), call_log)
    permissions = {"GET permissions": lambda _: users.used, "DELETE permissions": lambda _: users.forget()}
    server.app = ControlApi(
        front, call_log, registry_gateway, token, lambda: contents.list_objects(REGION), _reset, permissions
    )
    serve_until_exit(server, stack)
    serve_until_exit(create_server(addresses.own, REGISTRY_PORT, registry_gateway), stack)
    url = f"http://{addresses.own}:{GATEWAY_PORT}"
    return RehearsalRecord(
        url=url,
        name=name,
        region=REGION,
        token=token,
        registry=address,
        processes=(Process.of(os.getpid()), Process.of(registry.pid)),
        cloud_url=url,
        ca_bundle=str(authority.bundle),
        credentials={"aws_access_key_id": key, "aws_secret_access_key": secrets.token_urlsafe(32)},
    )


def _reset() -> None:
    ecs.clear()
    ecr.clear()
    elb.clear()
    backends.get_backend("moto_api")["global"].reset()
    harsh.HARSH.begin(REGION)
    route53.begin()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
