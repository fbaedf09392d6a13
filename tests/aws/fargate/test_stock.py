"""A stock moto server, without anything of ours, takes every request that the target sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.aws.fargate.iam import trust_policy
from mldeploy.providers.aws.fargate.listener import TLS_POLICY
from mldeploy.providers.aws.fargate.permissions import NEEDS, build_policy
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from mldeploy.testing.promises import Promise, proves
from tests.aws.fargate.harness import Deployer
from tests.aws.harness import session
from tests.aws.requests import RecordedCall, violations

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import RoleTypeDef


@pytest.fixture(scope="module")
def _stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsing(tmp_path_factory.mktemp("stock") / "aws", stock=True) as rehearsal:
        yield rehearsal


@pytest.fixture
def stock(_stock: Rehearsal) -> Rehearsal:
    _stock.reset()
    return _stock


@pytest.fixture
def deployer(stock: Rehearsal, tmp_path: Path) -> Iterator[Deployer]:
    """Every call of every test is held against the SDK's models of the services."""
    calls: list[RecordedCall] = []
    yield replace(Deployer.of(stock, tmp_path, rollout_timeout=1), calls=calls)
    assert calls
    assert [each for call in calls for each in violations(call)] == []


ADMINISTRATOR = {"iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:CreatePolicy", "iam:CreateUser"}
BOUNDARY = "arn:aws:iam::123456789012:policy/limits"
BALANCED = {"ingress": "load-balancer", "min": 1, "max": 3, "target_requests": 100}


@proves(Promise.INDEPENDENT, targets=("fargate",))
def test_everything_up_to_the_first_task(deployer: Deployer) -> None:
    """moto starts no tasks: that is all that is wrong with the deployment."""
    for _ in range(2):
        with pytest.raises(DeploymentFailedError, match="no task can be started: none was there within 1 s"):
            deployer.deploy()
    looks = deployer.look()
    assert [name for name, look in looks.items() if look.doubt] == []
    differing = {name: look.seen.drift for name, look in looks.items() if look.seen and look.seen.drift}
    assert set(differing) == {"ecs-service paper", "fargate-endpoint paper"}


def test_everything_is_taken_away_and_the_policy_allows_each_call(deployer: Deployer, stock: Rehearsal) -> None:
    """With a public address, and with a load balancer and autoscaling; all that is called is in the table."""
    before = stock.contents()
    user = deployer.with_(**BALANCED).restricted().user
    for each in (replace(deployer, user=user), replace(deployer.with_(**BALANCED), user=user)):
        with pytest.raises(DeploymentFailedError, match="no task can be started"):
            each.deploy()
        assert len(stock.contents()) > len(before)
        each.service.releases()
        each.service.instances()
        each.service.stop()
        list(each.service.logs(follow=False, tail=1))
        assert each.destroy().removed
        assert stock.contents() == before
    assert deployer.destroy().removed == ()
    called = {call.action for call in stock.calls()} - ADMINISTRATOR
    assert called <= set(NEEDS), "a call is missing in the table"
    granted = json.dumps(build_policy(deployer.cloud))
    for action in called - {"sts:GetCallerIdentity"}:
        assert f'"{action}"' in granted, f"{action} is called and not allowed"
    assert "{" not in granted.replace('{"', "").replace("{}", ""), "a placeholder is left"


@proves(Promise.HTTPS, Promise.DOMAIN, targets=("fargate",))
def test_a_certificate_makes_the_balancer_answer_https_and_send_everybody_there(
    deployer: Deployer, stock: Rehearsal
) -> None:
    url, aws = stock.endpoints.url, session(stock)
    acm, elb = aws.client("acm", endpoint_url=url), aws.client("elbv2", endpoint_url=url)
    first, second = (acm.request_certificate(DomainName="paper.example.com")["CertificateArn"] for _ in range(2))
    secure = {"ingress": "load-balancer", "domain": "paper.example.com"}

    def listeners() -> dict[int, Any]:
        (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
        descriptions = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        return {each["Port"]: each for each in descriptions}

    for certificate in (first, second):
        with pytest.raises(DeploymentFailedError, match="no task can be started"):
            deployer.with_(**secure, certificate=certificate).deploy()
        assert set(listeners()) == {80, 443}
        https = listeners()[443]
        assert (https["Protocol"], https["DefaultActions"][0]["Type"]) == ("HTTPS", "forward")
        assert [each["CertificateArn"] for each in https["Certificates"]] == [certificate]
        assert https["SslPolicy"] == TLS_POLICY
        redirect = listeners()[80]["DefaultActions"][0]["RedirectConfig"]
        assert (redirect["Protocol"], redirect["Port"], redirect["StatusCode"]) == ("HTTPS", "443", "HTTP_301")

    with pytest.raises(DeploymentFailedError, match="no task can be started"):
        deployer.with_(ingress="load-balancer").deploy()
    assert listeners()[80]["DefaultActions"][0]["Type"] == "forward"
    deployer.destroy()
    assert elb.describe_load_balancers()["LoadBalancers"] == []


def test_a_certificate_that_is_not_there_is_named_with_the_region(deployer: Deployer) -> None:
    absent = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    secure = deployer.with_(ingress="load-balancer", domain="paper.example.com", certificate=absent)
    with pytest.raises(DeploymentFailedError, match=rf"there is no certificate {absent} in us-east-1") as failed:
        secure.deploy()
    assert failed.value.exit_code is ExitCode.CONFIG
    secure.destroy()


def created_roles(stock: Rehearsal, *names: str) -> list[RoleTypeDef]:
    iam = session(stock).client("iam", endpoint_url=stock.endpoints.url)
    trust = json.dumps(trust_policy("123456789012"))
    return [iam.create_role(RoleName=each, AssumeRolePolicyDocument=trust)["Role"] for each in names]


def roles_of(stock: Rehearsal) -> list[RoleTypeDef]:
    iam = session(stock).client("iam", endpoint_url=stock.endpoints.url)
    return [iam.get_role(RoleName=each.name)["Role"] for each in stock.contents() if each.kind == "iam:role"]


def deploy_in_vain(deployer: Deployer) -> None:
    with pytest.raises(DeploymentFailedError, match="no task can be started"):
        deployer.deploy()


@pytest.mark.exhaustive
def test_roles_are_below_the_path_and_the_boundary(deployer: Deployer, stock: Rehearsal) -> None:
    """Also when the boundary is set later; a path is another role."""
    deploy_in_vain(deployer)
    bounded = deployer.with_(permissions_boundary=BOUNDARY).restricted()
    (drift,) = {look.seen.drift for name, look in bounded.look().items() if look.seen and "-role" in name}
    assert drift == (f"permissions boundary none → {BOUNDARY}",)
    deploy_in_vain(bounded)
    assert [role["PermissionsBoundary"]["PermissionsBoundaryArn"] for role in roles_of(stock)] == [BOUNDARY] * 2
    with pytest.raises(DeploymentFailedError, match=r"must be replaced \(path / → /team/\)"):
        deployer.with_(permissions_boundary=BOUNDARY, role_path="/team/").deploy()
    assert deployer.destroy().removed
    deploy_in_vain(deployer.with_(permissions_boundary=BOUNDARY, role_path="/team/"))
    assert {role["Path"] for role in roles_of(stock)} == {"/team/"}
    assert deployer.destroy().removed
    assert stock.contents() == ()


def test_an_administrators_roles_are_used_and_left_alone(deployer: Deployer, stock: Rehearsal) -> None:
    """By a user who may write none. Roles that mldeploy created before are removed with the app."""
    execution, task = created_roles(stock, "paper-execution", "paper-task")
    given = deployer.with_(execution_role=execution["Arn"], task_role=task["Arn"])
    restricted = given.restricted()
    deploy_in_vain(restricted)
    newest = given.cloud.ecs.describe_task_definition(taskDefinition="mldeploy-paper")["taskDefinition"]
    assert (newest["executionRoleArn"], newest["taskRoleArn"]) == (execution["Arn"], task["Arn"])
    assert restricted.destroy().removed
    deploy_in_vain(deployer)
    deploy_in_vain(given)
    assert len(roles_of(stock)) == 4
    assert given.destroy().removed
    assert [(each.kind, each.name) for each in stock.contents()] == [
        ("iam:role", "paper-execution"),
        ("iam:role", "paper-task"),
    ]


def test_a_given_role_that_no_task_can_take_is_an_error_of_the_configuration(
    deployer: Deployer, stock: Rehearsal
) -> None:
    iam = session(stock).client("iam", endpoint_url=stock.endpoints.url)
    foreign = iam.create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for role, what in ((foreign, "does not trust ecs-tasks"), (foreign.replace("lambda", "no"), "there is no role")):
        with pytest.raises(DeploymentFailedError, match=what) as failed:
            deployer.with_(task_role=role).deploy()
        assert failed.value.exit_code is ExitCode.CONFIG
    assert deployer.destroy().removed


@pytest.mark.exhaustive
def test_an_own_role_that_is_given_is_an_administrators_from_then_on(deployer: Deployer, stock: Rehearsal) -> None:
    deploy_in_vain(deployer)
    arns = {role["RoleName"].rpartition("-")[2]: role["Arn"] for role in roles_of(stock)}
    given = deployer.with_(execution_role=arns["execution"])
    assert given.destroy().removed
    assert [role["Arn"] for role in roles_of(stock)] == [arns["execution"]]
    assert deployer.destroy().removed
