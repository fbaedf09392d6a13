"""The components of the Google Cloud stand-in, connected to each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.control import ControlApi
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.registry import ArtifactAuthorizer, ArtifactDirectory, ArtifactTokenEndpoint
from mldeploy.rehearsal.gcp.artifacts.repositories import ArtifactRepositoryService
from mldeploy.rehearsal.gcp.compute.api import ComputeApi, RegionQuotas
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.gke.clusters import Clusters
from mldeploy.rehearsal.gcp.gke.control_plane import KubernetesControlPlanes
from mldeploy.rehearsal.gcp.gke.operations import Failure, Operations
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.logs.entries import LogEntries
from mldeploy.rehearsal.gcp.longrunning import LongRunning, Scheduler
from mldeploy.rehearsal.gcp.policies import PolicyWriter
from mldeploy.rehearsal.gcp.project import PROJECT
from mldeploy.rehearsal.gcp.resource_manager import ResourceManagerApi
from mldeploy.rehearsal.gcp.rest import TOKEN_PATH, GoogleRestAdapter, GoogleRestApplication
from mldeploy.rehearsal.gcp.rpc.fault_proxy import GrpcFaultProxy
from mldeploy.rehearsal.gcp.run.launcher import RunContext
from mldeploy.rehearsal.gcp.run.services import KINDS, CloudRun
from mldeploy.rehearsal.gcp.secrets.secret_manager import SecretManager
from mldeploy.rehearsal.gcp.service_accounts import ServiceAccountsApi
from mldeploy.rehearsal.gcp.services import Services
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator, GoogleTokens
from mldeploy.rehearsal.registry.gateway import RegistryGateway

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from mldeploy.rehearsal.containers.host import ContainerHost
    from mldeploy.rehearsal.gateway.serving import Authority
    from mldeploy.rehearsal.registry.program import RegistryProgram


@dataclass(frozen=True)
class GcpContext:
    """What the components depend on. name: of the rehearsal. url: of the gateway. address: HOST:PORT of the registry.

    real: the host starts real containers. folder: for files of the rehearsal.
    """

    name: str
    pace: float
    host: ContainerHost
    real: bool
    public: PublicAddressPool
    authority: Authority
    registry: RegistryProgram
    url: str
    address: str
    folder: Path


class GcpComponents:
    """All components except the servers."""

    def __init__(self, context: GcpContext) -> None:
        self._context = context
        self._mutex = threading.RLock()
        self._call_log = CallLog()
        self._scheduler = Scheduler(context.pace)
        self.tokens = GoogleTokens(PROJECT, f"{context.url}{TOKEN_PATH}")
        self._long_running = LongRunning(self._scheduler)
        self._services = Services(PROJECT, self._scheduler, self._long_running)
        self._quotas = RegionQuotas(PROJECT.id)
        self._operations = Operations(PROJECT, self._scheduler)
        self._conditions, self._iam = ProjectConditions(PROJECT), ProjectIam(PROJECT)
        self._authenticator = GoogleAuthenticator(PROJECT, self.tokens, self._services, self._iam)
        self._repositories = ArtifactRepositoryService(
            PROJECT, self._scheduler, self._long_running, context.address, context.registry.forget, self._conditions
        )
        planes = KubernetesControlPlanes(context, self.tokens, self._call_log, self._conditions, self._iam)
        self._clusters = Clusters(
            self._operations,
            self._quotas,
            planes,
            context.public,
            self._services.require,
            self._conditions,
            self._iam,
        )
        policies = PolicyWriter(self._scheduler, self._conditions)
        self._accounts = ServiceAccountsApi(PROJECT, self._authenticator, self._conditions, policies)
        self._secrets = SecretManager(PROJECT, self._conditions, self._iam, policies)
        self._logs = LogEntries(PROJECT, self._conditions)
        self._run = CloudRun(
            RunContext(
                context.name,
                PROJECT,
                context.host,
                context.address,
                self.tokens,
                self._secrets,
                self._logs,
                context.folder / "volumes",
                context.public,
                context.authority,
            ),
            self._long_running,
            self._conditions,
            self._iam,
            policies,
            self._accounts,
        )
        self._registry_authorizer = ArtifactAuthorizer(
            PROJECT, self.tokens, self._repositories, context.address, self._conditions, self._iam
        )
        self._registry_gateway = RegistryGateway(
            context.registry.upstream, ArtifactDirectory(self._repositories), self._registry_authorizer
        )

    @property
    def registry_application(self) -> ArtifactTokenEndpoint:
        """The WSGI application of the registry."""
        return ArtifactTokenEndpoint(self._registry_gateway, self._registry_authorizer)

    def grpc(self, cut: Callable[[str], None]) -> GrpcFaultProxy:
        """Create the gRPC handler. cut: breaks a peer's connection."""
        parts = (
            self._long_running,
            self._services,
            self._operations,
            self._repositories,
            self._clusters,
            self._run,
            self._secrets,
            self._logs,
        )
        methods = {name: method for part in parts for name, method in part.methods.items()}
        return GrpcFaultProxy(methods, self._authenticator, self._call_log, self._mutex, cut)

    def control(self, token: str) -> ControlApi:
        """Create the WSGI application of the gateway. token: of the control API."""
        clusters = self._clusters
        compute = ComputeApi(PROJECT, self._authenticator, self._quotas, clusters.pieces, clusters.used, clusters.clear)
        resources = ResourceManagerApi(PROJECT, self._authenticator, self._iam)
        https = GoogleRestApplication(self.tokens, compute, resources, self._accounts)
        front = FaultProxy(https, GoogleRestAdapter(self._authenticator), self._call_log)
        return ControlApi(
            front,
            self._call_log,
            self._registry_gateway,
            token,
            self._list_objects,
            self.reset,
            self._control_routes,
        )

    def _list_objects(self) -> Iterator[StandInObject]:
        """List all objects that callers made, or that were made for them."""
        yield from self._repositories.contents()
        yield from self._clusters.contents()
        yield from self._run.contents()
        yield from self._secrets.contents()
        yield from self._accounts.contents()
        yield from (resource.thing for resource in self._clusters.pieces())

    def reset(self) -> None:
        """Reset to a new project. Tokens stay valid."""
        self._run.cancel()
        self._scheduler.forget()
        with self._mutex:
            for part in (
                self._run,
                self._secrets,
                self._logs,
                self._accounts,
                self._clusters,
                self._repositories,
                self._operations,
                self._long_running,
                self._services,
                self._quotas,
                self._conditions,
                self._iam,
            ):
                part.reset()
        self._context.registry.forget()

    def close(self) -> None:
        """Stop operations, clusters and services."""
        self._run.close()
        self._scheduler.forget()
        self._clusters.reset()

    def _add_failure(self, failure: Failure) -> None:
        (self._run if failure.type in KINDS else self._operations).add_failure(failure)

    def _limit_quota(self, metric: str, limit: float) -> None:
        if metric in self._run.quotas:
            self._run.quotas[metric] = limit
        else:
            self._quotas.limit(metric, limit)

    @property
    def _control_routes(self) -> Mapping[str, Callable[[Request], object]]:
        return {
            "POST failures": lambda request: self._add_failure(Failure(**request.get_json())),
            "POST quotas": lambda request: self._limit_quota(**request.get_json()),
            "POST domains": lambda _: self._conditions.restrict_domains(),
            "POST idle": lambda request: self._run.set_idle_seconds(request.get_json()["seconds"]),
            "GET instances": lambda _: self._run.instances(),
            "POST networks": lambda request: self._conditions.set_networks(request.get_json()),
            "POST harsh": lambda _: self._conditions.toughen(),
            "POST hurry": lambda _: self._scheduler.hurry(),
            "POST service-key": lambda request: setattr(self._conditions, "service_key", request.get_json()["key"]),
            "POST roles": lambda request: self._iam.bind(request.get_json()),
            "POST permissions": lambda request: self._iam.restrict(request.get_json()),
            "GET permissions": lambda _: self._iam.checked,
            "DELETE tokens": lambda _: self.tokens.expire(),
        }
