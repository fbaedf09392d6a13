"""The target `fargate`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from mldeploy.app.client import GoldenRow
from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import EngineImage
from mldeploy.providers.aws.account import authenticate
from mldeploy.providers.aws.checks import SECONDS
from mldeploy.providers.aws.ecr import provider as registry
from mldeploy.providers.aws.ecr import pushed_image, repository_path
from mldeploy.providers.aws.fargate.apps import list_apps
from mldeploy.providers.aws.fargate.autoscaling import ServiceAutoscaling
from mldeploy.providers.aws.fargate.balancer import LoadBalancer
from mldeploy.providers.aws.fargate.candidate import CandidateRule, CandidateService, CandidateTargets, ServingTargets
from mldeploy.providers.aws.fargate.certificate import DomainCertificate
from mldeploy.providers.aws.fargate.checks import check_target
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.cluster import EcsCluster
from mldeploy.providers.aws.fargate.dns import HostedZone
from mldeploy.providers.aws.fargate.domain import DomainRecord
from mldeploy.providers.aws.fargate.endpoint import FargateEndpoint
from mldeploy.providers.aws.fargate.firewall import BALANCER, TASKS, ClosedPorts, SecurityGroup
from mldeploy.providers.aws.fargate.header_rule import CANARY, STABLE, TRIAL, HeaderRule
from mldeploy.providers.aws.fargate.iam import ExecutionRole, TaskRole
from mldeploy.providers.aws.fargate.inventory import list_resources
from mldeploy.providers.aws.fargate.listener import HTTP, HTTPS, LoadBalancerListener
from mldeploy.providers.aws.fargate.logs import LogGroup
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.operations import FargateService
from mldeploy.providers.aws.fargate.permissions import build_policy
from mldeploy.providers.aws.fargate.policies import FEATURES, PREVIEWS, build_policy_set
from mldeploy.providers.aws.fargate.preview_policy import limit_to_previews
from mldeploy.providers.aws.fargate.prices import estimate_cost
from mldeploy.providers.aws.fargate.secrets import FargateSecret, SecretsManagerStore
from mldeploy.providers.aws.fargate.service import EcsService
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.targets import TargetGroup
from mldeploy.providers.aws.fargate.task_definition import TaskDefinition
from mldeploy.providers.aws.fargate.traffic import FargateTraffic
from mldeploy.providers.aws.fargate.trial import GoldenTrial
from mldeploy.providers.aws.repository import EcrRepository
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate, ListedApp, PolicySet
from mldeploy.providers.errors import WrongTargetError
from mldeploy.providers.gpu import refuse_gpu

KINDS: Kinds[FargateCloud] = derive_kinds(FargateEndpoint, EcrRepository, EngineImage, FargateSecret)


class FargateProvider:
    """`mldeploy.providers.base.Provider` for AWS Fargate."""

    name = "fargate"
    settings: type[TargetSettings] = FargateSettings
    kinds: Kinds[FargateCloud] = KINDS

    def connect(self, project: Project, settings: FargateSettings, endpoints: Endpoints) -> FargateCloud:
        """Raises CredentialsError, ConfigError, AwsError; EngineError if no engine answers."""
        account = authenticate(TABLE, settings, endpoints)
        repository = repository_path(project, settings)
        cloud = FargateCloud.of(Engine.connect(), account, project.app.name, repository, settings.roles)
        domain = settings.domain if settings.requests_certificate else ""
        return replace(cloud, domain=domain, trust=endpoints.ca_bundle)

    def place(self, cloud: FargateCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: FargateCloud) -> Login:
        """To the registry that the image is kept in."""
        return registry.login(cloud)

    def push(self, project: Project, settings: FargateSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: FargateSettings) -> FargateEndpoint:
        """Raises ConfigError if Fargate has no task of the size that the settings say."""
        return build_goal(project, settings, pushed_image(project, settings))

    def candidate(self, project: Project, settings: FargateSettings) -> CandidateService:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises WrongTargetError, ConfigError."""
        return build_candidate(project, settings, pushed_image(project, settings))

    def traffic(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> FargateTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return FargateTraffic(cloud, project, settings)

    def checks(self, project: Project, settings: FargateSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: what the registry needs, and the network."""
        return (DoctorCheck(self.name, lambda: check_target(project, settings, PUBLIC), SECONDS),)

    def policy(self, cloud: FargateCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: an IAM policy."""
        return build_policy(cloud)

    policy_features: Sequence[str] = FEATURES

    def policy_set(
        self, cloud: FargateCloud, project: Project, settings: FargateSettings, features: Collection[str]
    ) -> PolicySet:
        """`mldeploy.providers.capabilities.HasPolicySet`: IAM policies, and the roles that an administrator creates."""
        policies = build_policy_set(cloud, settings, features)
        return limit_to_previews(policies, project.app, settings) if PREVIEWS in features else policies

    def costs(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_cost(cloud.account.region, project, settings)

    def precheck(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> None:
        """`mldeploy.providers.capabilities.CanPrecheck`: raises ConfigError for an app that is built for a GPU."""
        refuse_gpu(project, self.name, "runs on AWS Fargate, which has no GPU")

    def inventory(self, cloud: FargateCloud, project: Project) -> Collection[Resource]:
        return (*list_resources(cloud, project.app.name), *registry.inventory(cloud, project))

    def apps(self, cloud: FargateCloud, settings: FargateSettings) -> Sequence[ListedApp[FargateSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: those of the region."""
        return tuple(list_apps(cloud, settings))

    def secrets(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> SecretsManagerStore:
        """`mldeploy.providers.secret_store.HasSecretStore`."""
        return SecretsManagerStore(cloud)

    def service(self, cloud: FargateCloud, project: Project, settings: FargateSettings) -> FargateService:
        return FargateService(cloud, project, settings)


def build_goal(project: Project, settings: FargateSettings, image: PushedImage) -> FargateEndpoint:
    """The image is made and pushed while the network, the roles, the log and the cluster are prepared."""
    settings.check()
    app = project.app.name
    network = Network(app, tuple(settings.subnets))
    front = _build_balancer(project, settings, network)
    source = front.balancer.firewall if front else settings.ingress_cidr
    firewall = SecurityGroup(app, TASKS, (project.app.port,), network, source)
    task, cluster = _build_task_definition(project, settings, image), EcsCluster(app)
    service = EcsService(
        project,
        settings,
        task,
        cluster,
        network,
        firewall,
        front.targets if front else None,
        front.listeners if front else (),
        _build_trial(project, settings, task, cluster, firewall, front),
    )
    scaling = _build_autoscaling(app, settings, service, front)
    record = front.record if front else None
    return FargateEndpoint(project, settings, service, ClosedPorts(firewall, service), scaling, record)


def build_candidate(project: Project, settings: FargateSettings, image: PushedImage) -> CandidateService:
    """The steps of a deployment up to the golden row, then a second service beside the one that serves.

    Raises WrongTargetError without a load balancer, ConfigError as `build_goal` does.
    """
    settings.check()
    app = project.app
    network = Network(app.name, tuple(settings.subnets))
    front = _build_balancer(project, settings, network, ServingTargets)
    if front is None:
        todo = (
            f'Set ingress = "load-balancer" in [{TABLE}], and deploy. Without one, `mldeploy deploy` switches to a new '
            "version at once."
        )
        raise WrongTargetError("target fargate", "cannot run a canary without a load balancer", todo)
    firewall = SecurityGroup(app.name, TASKS, (app.port,), network, front.balancer.firewall)
    task = replace(_build_task_definition(project, settings, image), is_candidate=True)
    cluster = EcsCluster(app.name)
    trial = _build_trial(project, settings, task, cluster, firewall, front)
    targets = CandidateTargets(app.name, app.port, app.health, network, app.keeps_sessions, CANARY, trial)
    listener = front.listeners[-1]
    rules = (
        CandidateRule(app.name, front.balancer, listener, targets, CANARY),
        CandidateRule(app.name, front.balancer, listener, front.targets, STABLE),
    )
    return CandidateService(project, settings, task, cluster, network, firewall, targets, rules)


@dataclass(frozen=True)
class _BalancerSteps:
    """What stands before the tasks."""

    balancer: LoadBalancer
    targets: TargetGroup
    listeners: tuple[LoadBalancerListener, ...]
    record: DomainRecord | None


def _build_balancer(
    project: Project, settings: FargateSettings, network: Network, group: type[TargetGroup] = TargetGroup
) -> _BalancerSteps | None:
    if not settings.is_balanced:
        return None
    app, certificate = project.app.name, _build_certificate(project, settings)
    ports = (HTTP, HTTPS) if certificate else (HTTP,)
    firewall = SecurityGroup(app, BALANCER, ports, network, settings.ingress_cidr)
    balancer = LoadBalancer(app, network, firewall)
    targets = group(app, project.app.port, project.app.health, network, project.app.keeps_sessions)
    listeners = (
        LoadBalancerListener(
            app, port, certificate if port == HTTPS else "", bool(certificate) and port == HTTP, balancer, targets
        )
        for port in ports
    )
    record = None
    if isinstance(certificate, DomainCertificate):
        record = DomainRecord(app, settings.domain, certificate.zone, balancer, certificate)
    return _BalancerSteps(balancer, targets, tuple(listeners), record)


def _build_certificate(project: Project, settings: FargateSettings) -> str | DomainCertificate:
    """The one that the settings name, or what gets one for their domain; "" for HTTP."""
    if not settings.requests_certificate:
        return settings.certificate
    app, domain = project.app.name, settings.domain
    return DomainCertificate(app, domain, settings.rollout_timeout, HostedZone(app, domain))


def _build_trial(
    project: Project,
    settings: FargateSettings,
    task: TaskDefinition,
    cluster: EcsCluster,
    firewall: SecurityGroup,
    front: _BalancerSteps | None,
) -> GoldenTrial | None:
    """Raises ProjectError if the golden row cannot be read."""
    if project.check.golden is None:
        return None
    app, golden = project.app, GoldenRow.load(project.check.golden, project.app)
    rule: HeaderRule | None = None
    if front:
        targets = TargetGroup(app.name, app.port, app.health, firewall.network, purpose=TRIAL)
        rule = HeaderRule(app.name, front.balancer, front.listeners[-1], targets)
    return GoldenTrial(project, settings, golden, task, cluster, firewall.network, firewall, rule)


def _build_task_definition(project: Project, settings: FargateSettings, image: PushedImage) -> TaskDefinition:
    app, repository = project.app.name, repository_path(project, settings)
    return TaskDefinition(
        project,
        settings,
        settings.size(project),
        image,
        LogGroup(app, settings.log_retention),
        ExecutionRole.of(app, repository, settings),
        TaskRole(app, repository),
    )


def _build_autoscaling(
    app: str, settings: FargateSettings, service: EcsService, front: _BalancerSteps | None
) -> ServiceAutoscaling | None:
    if settings.scaling is None:
        return None
    by_requests = front if settings.scaling.requests else None
    if by_requests is None:
        return ServiceAutoscaling(app, settings.scaling, service)
    return ServiceAutoscaling(app, settings.scaling, service, by_requests.balancer, by_requests.targets)


provider = FargateProvider()
