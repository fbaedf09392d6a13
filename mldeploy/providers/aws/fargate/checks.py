"""What `mldeploy doctor` looks at before a deployment to Fargate: the account, its registry, and its network."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.aws import checks
from mldeploy.providers.aws.account import Account
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.fargate.network import find, missing, single_zone
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import TARGET
from mldeploy.providers.checks import Finding, error, ok


def look(project: Project, settings: FargateSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    try:
        settings.check()
        yield ok("size", f"each task has {settings.size(project)}")
    except ConfigError as problem:
        yield error("settings", f"{problem.where}: {problem.what}", problem.todo)
    yield from checks.look(TARGET, project, settings, endpoints, lambda account: _network(account, settings))


def _network(account: Account, settings: FargateSettings) -> Iterator[Finding]:
    """Whether tasks have somewhere to be, and whether a load balancer has, if there is to be one."""
    named = tuple(settings.subnets)
    try:
        with aws_errors("network", "ec2"):
            found = find(account.session.client("ec2", **account.options), named)
        if found is None:
            raise missing(account, named)
        if settings.is_balanced and found.zones < 2:
            raise single_zone(found)
    except MldeployError as problem:
        yield error("network", problem.what, problem.todo)
        return
    whose = "named" if named else "the default VPC's public ones"
    yield ok("network", f"{len(found.subnets)} subnets of {found.vpc} in {found.zones} zones, {whose}")
