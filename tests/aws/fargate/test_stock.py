"""A stock moto server, without anything of ours, takes every request that the target sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.aws.fargate.listener import TLS_POLICY
from mldeploy.providers.aws.fargate.permissions import NEEDS, build_policy
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from mldeploy.testing.promises import Promise, proves
from tests.aws.fargate.harness import Deployer
from tests.aws.harness import session


@pytest.fixture(scope="module")
def _stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsing(tmp_path_factory.mktemp("stock") / "aws", stock=True) as rehearsal:
        yield rehearsal


@pytest.fixture
def stock(_stock: Rehearsal) -> Rehearsal:
    _stock.reset()
    return _stock


@pytest.fixture
def deployer(stock: Rehearsal, tmp_path: Path) -> Deployer:
    return Deployer.of(stock, tmp_path, rollout_timeout=1)


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
    for each in (deployer, deployer.with_(**BALANCED)):
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
    called = {call.action for call in stock.calls()}
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


def test_the_policy_is_small_enough_for_iam(deployer: Deployer) -> None:
    """A managed policy has 6,144 characters at most, white space aside (IAM quotas)."""
    assert len(json.dumps(build_policy(deployer.cloud), separators=(",", ":"))) <= 6144
