"""The target `fargate`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BaseImage, EngineImage
from mldeploy.providers.aws.account import enter
from mldeploy.providers.aws.checks import SECONDS
from mldeploy.providers.aws.ecr import provider as registry
from mldeploy.providers.aws.ecr import pushed_image, repository_path
from mldeploy.providers.aws.fargate.autoscaling import Autoscaling
from mldeploy.providers.aws.fargate.balancer import LoadBalancer
from mldeploy.providers.aws.fargate.checks import look
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import Cluster
from mldeploy.providers.aws.fargate.endpoint import FargateEndpoint
from mldeploy.providers.aws.fargate.firewall import BALANCER, TASKS, SecurityGroup
from mldeploy.providers.aws.fargate.iam import ExecutionRole, TaskRole
from mldeploy.providers.aws.fargate.inventory import inventory
from mldeploy.providers.aws.fargate.listener import HTTP, HTTPS, Listener
from mldeploy.providers.aws.fargate.logs import LogGroup
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.operate import FargateService
from mldeploy.providers.aws.fargate.permissions import policy
from mldeploy.providers.aws.fargate.ports import ClosedPorts
from mldeploy.providers.aws.fargate.prices import estimate
from mldeploy.providers.aws.fargate.service import Service
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.targets import TargetGroup
from mldeploy.providers.aws.fargate.task_definition import TaskDefinition
from mldeploy.providers.aws.repository import EcrRepository
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.costs import Estimate

KINDS: Mapping[str, type[Step[FargateCloud, object]]] = MappingProxyType(
    {
        step.kind: step
        for step in (
            BaseImage,
            EngineImage,
            EcrRepository,
            PushedImage,
            LogGroup,
            ExecutionRole,
            TaskRole,
            Cluster,
            Network,
            SecurityGroup,
            TaskDefinition,
            LoadBalancer,
            TargetGroup,
            Listener,
            Service,
            Autoscaling,
            ClosedPorts,
            FargateEndpoint,
        )
    }
)


class FargateProvider:
    """`mldeploy.providers.base.Provider` for AWS Fargate."""

    name = "fargate"
    settings: type[TargetSettings] = FargateSettings
    kinds: Mapping[str, type[Step[FargateCloud, object]]] = KINDS

    def connect(self, project: Project, settings: FargateSettings, endpoints: Endpoints) -> FargateCloud:
        """Raises CredentialsError, ConfigError, AwsError; EngineError if no engine answers."""
        account = enter(TABLE, settings, endpoints)
        return FargateCloud.of(Engine.connect(), account, project.app.name, repository_path(project, settings))

    def place(self, cloud: FargateCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: FargateCloud) -> Login:
        """To the registry that the image is kept in."""
        return registry.login(cloud)

    def push(self, project: Project, settings: FargateSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: FargateSettings) -> FargateEndpoint:
        """Raises ConfigError if Fargate has no task of the size that the settings say."""
        return goal(project, settings, pushed_image(project, settings))

    def checks(self, project: Project, settings: FargateSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: what the registry needs, and the network."""
        return (Check(self.name, lambda: look(project, settings, PUBLIC), SECONDS),)

    def policy(self, cloud: FargateCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: an IAM policy."""
        return policy(cloud)

    def costs(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> Estimate:
        """`mldeploy.providers.costs.HasCosts`."""
        return estimate(cloud.account.region, project, settings)

    def inventory(self, cloud: FargateCloud, project: Project) -> Collection[Resource]:
        return (*inventory(cloud, project.app.name), *registry.inventory(cloud, project))

    def service(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> FargateService:
        return FargateService(cloud, project, settings)


def goal(project: Project, settings: FargateSettings, image: PushedImage) -> FargateEndpoint:
    """The image is made and pushed while the network, the roles, the log and the cluster are prepared."""
    settings.check()
    app = project.app.name
    network = Network(app, tuple(settings.subnets))
    front = _front(project, settings, network)
    source = front.balancer.firewall if front else settings.ingress_cidr
    firewall = SecurityGroup(app, TASKS, (project.app.port,), network, source)
    service = Service(
        project,
        settings,
        _task(project, settings, image),
        Cluster(app),
        network,
        firewall,
        front.targets if front else None,
        front.listeners if front else (),
    )
    scaling = _scaling(app, settings, service, front)
    return FargateEndpoint(project, settings, service, ClosedPorts(firewall, service), scaling)


@dataclass(frozen=True)
class _Front:
    """What stands before the tasks."""

    balancer: LoadBalancer
    targets: TargetGroup
    listeners: tuple[Listener, ...]


def _front(project: Project, settings: FargateSettings, network: Network) -> _Front | None:
    if not settings.is_balanced:
        return None
    app, certificate = project.app.name, settings.certificate
    ports = (HTTP, HTTPS) if certificate else (HTTP,)
    firewall = SecurityGroup(app, BALANCER, ports, network, settings.ingress_cidr)
    balancer = LoadBalancer(app, network, firewall)
    targets = TargetGroup(app, project.app.port, project.app.health, network)
    listeners = (
        Listener(app, port, certificate if port == HTTPS else "", bool(certificate) and port == HTTP, balancer, targets)
        for port in ports
    )
    return _Front(balancer, targets, tuple(listeners))


def _task(project: Project, settings: FargateSettings, image: PushedImage) -> TaskDefinition:
    app, repository = project.app.name, repository_path(project, settings)
    return TaskDefinition(
        project,
        settings,
        settings.size(project),
        image,
        LogGroup(app, settings.log_retention),
        ExecutionRole(app, repository, tuple(sorted(settings.secrets.values()))),
        TaskRole(app, repository),
    )


def _scaling(app: str, settings: FargateSettings, service: Service, front: _Front | None) -> Autoscaling | None:
    if settings.scaling is None:
        return None
    by_requests = front if settings.scaling.requests else None
    if by_requests is None:
        return Autoscaling(app, settings.scaling, service)
    return Autoscaling(app, settings.scaling, service, by_requests.balancer, by_requests.targets)


provider: Provider[FargateCloud, FargateSettings] = FargateProvider()
