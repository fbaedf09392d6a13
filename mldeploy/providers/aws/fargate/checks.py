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
from mldeploy.providers.aws.fargate.balancer import find_named_balancer
from mldeploy.providers.aws.fargate.dns import check_records, find_zone
from mldeploy.providers.aws.fargate.network import find_subnets, missing_network, single_zone
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import TARGET
from mldeploy.providers.capabilities import Finding, error, ok, warning


def check_target(project: Project, settings: FargateSettings, endpoints: Endpoints) -> Iterator[Finding]:
    """Reads only."""
    try:
        settings.check()
        yield ok("size", f"each task has {settings.size(project)}")
    except ConfigError as problem:
        yield error("settings", f"{problem.where}: {problem.what}", problem.todo)
    yield from checks.check_account(
        TARGET, project, settings, endpoints, lambda account: _check_account(account, project, settings)
    )


def _check_account(account: AwsAccount, project: Project, settings: FargateSettings) -> Iterator[Finding]:
    yield from _check_network(account, settings)
    if settings.requests_certificate:
        yield from _check_domain(account, project, settings.domain)


def _check_domain(account: AwsAccount, project: Project, domain: str) -> Iterator[Finding]:
    """Whether a zone of the account holds the domain, and whether that leads elsewhere."""
    dns = account.session.client("route53", **account.options)
    elb = account.session.client("elbv2", **account.options)
    try:
        with aws_errors(domain, "route53"):
            zone = find_zone(dns, domain)
            if zone is None:
                todo = "The deployment prints the DNS records that you create."
                yield warning("domain", f"no public zone of this account holds {domain}", todo)
                return
            check_records(dns, zone, domain, find_named_balancer(elb, project.app.name))
    except MldeployError as problem:
        yield error("domain", problem.what, problem.todo)
        return
    yield ok("domain", f"the zone {zone.name} ({zone.id}) holds {domain}")


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
