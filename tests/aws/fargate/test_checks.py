"""`mldeploy doctor --target fargate`: what the registry needs, and somewhere for the tasks to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.providers.aws.fargate.checks import check_target
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.capabilities import Diagnosable, Finding, Level
from mldeploy.rehearsal.aws import FaultKind, FaultOrder, Rehearsal
from tests.aws.fargate.harness import Deployer
from tests.aws.harness import session


def findings(rehearsal: Rehearsal, folder: Path, **settings: object) -> dict[str, Finding]:
    app = Deployer.of(rehearsal, folder, "examined", **settings)
    return {each.subject: each for each in check_target(app.project, app.settings, rehearsal.endpoints)}


def test_it_is_asked_by_the_doctor() -> None:
    assert isinstance(provider, Diagnosable)


def test_size_account_registry_and_network_are_named(quick: Rehearsal, tmp_path: Path) -> None:
    results = findings(quick, tmp_path, cpu=512, memory=1024, ingress="load-balancer")
    assert {each.level for each in results.values()} == {Level.OK}
    assert {"size", "credentials", "registry", "repository", "network"} == set(results)
    assert "0.5 vCPU, 1 GiB" in results["size"].what
    assert "the default VPC's public ones" in results["network"].what


def test_a_size_that_there_is_not_does_not_keep_the_rest_from_being_looked_at(quick: Rehearsal, tmp_path: Path) -> None:
    results = findings(quick, tmp_path, cpu=256, memory=4096)
    assert results["settings"].level is Level.ERROR
    assert "target.fargate.memory" in results["settings"].what
    assert results["network"].level is Level.OK


def test_subnets_that_are_not_there_are_an_error(quick: Rehearsal, tmp_path: Path) -> None:
    results = findings(quick, tmp_path, subnets=["subnet-0123456789abcdef0"])["network"]
    assert results.level is Level.ERROR
    assert "subnet-0123456789abcdef0" in results.what


def test_a_load_balancer_is_refused_a_single_zone(quick: Rehearsal, tmp_path: Path) -> None:
    ec2 = session(quick).client("ec2", endpoint_url=quick.endpoints.url)
    only = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    results = findings(quick, tmp_path, subnets=[only], ingress="load-balancer")["network"]
    assert results.level is Level.ERROR
    assert "two availability zones" in results.what
    assert findings(quick, tmp_path, subnets=[only])["network"].level is Level.OK


@pytest.mark.parametrize("action", ["ec2:DescribeVpcs", "ec2:DescribeSubnets"])
def test_a_missing_permission_is_an_error_that_names_it(quick: Rehearsal, tmp_path: Path, action: str) -> None:
    quick.faults.inject(FaultOrder(FaultKind.DENIED, action, times=0))
    try:
        results = findings(quick, tmp_path)["network"]
    finally:
        quick.faults.clear()
    assert results.level is Level.ERROR
    assert action in results.what
