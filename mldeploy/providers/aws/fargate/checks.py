"""What `mldeploy doctor` looks at before a deployment to Fargate: the account, its registry, and its network."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.aws import checks
from mldeploy.providers.aws.account import AwsAccount
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate.network import find_subnets, missing_network, single_zone
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import TARGET
from mldeploy.providers.capabilities import Finding, error, ok


def check_target(project: Project, settings: FargateSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    try:
        settings.check()
        yield ok("size", f"each task has {settings.size(project)}")
    except ConfigError as problem:
        yield error("settings", f"{problem.where}: {problem.what}", problem.todo)
    yield from checks.check_account(
        TARGET, project, settings, endpoints, lambda account: _check_network(account, settings)
    )


def _check_network(account: AwsAccount, settings: FargateSettings) -> Iterator[Finding]:
    """Whether tasks have somewhere to be, and whether a load balancer has, if there is to be one."""
    subnet_ids = tuple(settings.subnets)
    try:
        with aws_errors("network", "ec2"):
            subnets = find_subnets(account.session.client("ec2", **account.options), subnet_ids)
        if subnets is None:
            raise missing_network(account, subnet_ids)
        if settings.is_balanced and subnets.zones < 2:
            raise single_zone(subnets)
    except MldeployError as problem:
        yield error("network", problem.what, problem.todo)
        return
    source = "named" if subnet_ids else "the default VPC's public ones"
    yield ok("network", f"{len(subnets.subnets)} subnets of {subnets.vpc} in {subnets.zones} zones, {source}")
