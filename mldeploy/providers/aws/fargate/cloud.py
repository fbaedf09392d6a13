"""The clients of the target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.image.engine import Engine
from mldeploy.providers.aws.account import AwsAccount, AwsCloud
from mldeploy.providers.aws.fargate.task_roles import TaskRoles

if TYPE_CHECKING:  # the stubs are for development alone
    from types_boto3_acm import ACMClient
    from types_boto3_application_autoscaling import ApplicationAutoScalingClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecs import ECSClient
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client
    from types_boto3_iam import IAMClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_route53 import Route53Client
    from types_boto3_secretsmanager import SecretsManagerClient

NO_ROLES = TaskRoles()
"""mldeploy creates both roles, without a boundary."""


@dataclass(frozen=True)
class FargateCloud(AwsCloud):
    """What the registry needs, and the services that a service on Fargate is made of. roles: whose roles tasks take."""

    ecs: ECSClient
    ec2: EC2Client
    elb: ElasticLoadBalancingv2Client
    iam: IAMClient
    logs: CloudWatchLogsClient
    scaling: ApplicationAutoScalingClient
    secrets: SecretsManagerClient
    acm: ACMClient
    dns: Route53Client
    roles: TaskRoles = NO_ROLES
    domain: str = ""
    """The domain for which mldeploy gets the certificate; "" for none."""
    trust: Path | None = None
    """A PEM file with the authorities of a stand-in's certificates."""

    @classmethod
    def of(
        cls, engine: Engine, account: AwsAccount, app: str, repository: str, roles: TaskRoles = NO_ROLES
    ) -> FargateCloud:
        """With all clients made. Raises nothing: no call is made."""
        session, options = account.session, account.options
        return cls(
            engine,
            account,
            app,
            repository,
            session.client("ecr", **options),
            session.client("resourcegroupstaggingapi", **options),
            session.client("ecs", **options),
            session.client("ec2", **options),
            session.client("elbv2", **options),
            session.client("iam", **options),
            session.client("logs", **options),
            session.client("application-autoscaling", **options),
            session.client("secretsmanager", **options),
            session.client("acm", **options),
            session.client("route53", **options),
            roles,
        )
