"""Behind a load balancer a new version takes over without a request that fails."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.rehearsal.account import PORT, Account, answers, eventually
from tests.rehearsal.available import require_registry
from tests.rehearsal.clients import Clients

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One whose tasks need no engine: it is the balancing that is tested."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("balancing") / "aws", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture
def account(quick: Rehearsal, engine: Engine) -> Iterator[Account]:
    quick.reset()
    with closing(Clients(quick)) as clients:
        yield Account.made(clients, engine)


@pytest.fixture
def elb(account: Account) -> Iterator[ElasticLoadBalancingv2Client]:
    with closing(account.aws.session.client("elbv2", endpoint_url=account.rehearsal.endpoints.url)) as client:
        yield client


def balancer(account: Account, elb: ElasticLoadBalancingv2Client) -> tuple[str, list[Any]]:
    """A load balancer's URL, and what a service says to be behind it."""
    subnets = [each["SubnetId"] for each in account.aws.ec2.describe_subnets()["Subnets"][:2]]
    made = elb.create_load_balancer(Name="front", Subnets=subnets, SecurityGroups=[account.group])["LoadBalancers"][0]
    vpc = account.aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = elb.create_target_group(
        Name="tasks",
        Protocol="HTTP",
        Port=PORT,
        VpcId=vpc,
        TargetType="ip",
        HealthCheckPath="/",
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=PORT,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    behind = [{"targetGroupArn": group, "containerName": "app", "containerPort": PORT}]
    return f"http://{made['DNSName']}:{PORT}/", behind


@pytest.mark.exhaustive
def test_a_port_has_one_listener(account: Account, elb: ElasticLoadBalancingv2Client) -> None:
    """A repeated request after a lost response is rejected as in AWS."""
    _, behind = balancer(account, elb)
    (made,) = elb.describe_load_balancers()["LoadBalancers"]
    with pytest.raises(ClientError, match="DuplicateListener"):
        elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="HTTP",
            Port=PORT,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": behind[0]["targetGroupArn"]}],
        )
    assert len(elb.describe_listeners(LoadBalancerArn=made["LoadBalancerArn"])["Listeners"]) == 1


class Caller(threading.Thread):
    """Sends requests, each on a new connection, until stopped."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.seen: Counter[object] = Counter()
        self.answered = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            try:
                self.seen[requests.get(self.url, timeout=300).status_code] += 1
            except requests.RequestException as error:
                self.seen[type(error)] += 1
            self.answered.set()


def test_no_request_fails_while_a_new_version_takes_over(account: Account, elb: ElasticLoadBalancingv2Client) -> None:
    account.open_port()
    url, behind = balancer(account, elb)
    first, second = account.define(), account.define()
    account.serve(first, loadBalancers=behind)
    account.completed(first)
    (old,) = account.tasks()
    caller = Caller(url)
    caller.start()
    assert caller.answered.wait(300)
    account.aws.ecs.update_service(cluster="c", service="s", taskDefinition=second)
    account.completed(second)
    account.until(old, "STOPPED")
    caller.ended.set()
    caller.join()
    assert list(caller.seen) == [200]


def test_a_balancer_answers_503_without_a_healthy_task_and_nothing_while_its_port_is_closed(
    account: Account, elb: ElasticLoadBalancingv2Client
) -> None:
    url, _ = balancer(account, elb)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=120)
    account.open_port()
    assert requests.get(url, timeout=120).status_code == 503


def test_a_targets_health_is_told_and_ends_with_its_task(account: Account, elb: ElasticLoadBalancingv2Client) -> None:
    account.open_port()
    url, behind = balancer(account, elb)
    definition = account.define()
    account.serve(definition, loadBalancers=behind)
    account.completed(definition)

    def states() -> list[str]:
        targets = elb.describe_target_health(TargetGroupArn=behind[0]["targetGroupArn"])["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in targets]

    assert states() == ["healthy"]
    assert answers(url)
    account.aws.ecs.update_service(cluster="c", service="s", desiredCount=0)
    eventually(lambda: states() == [] or None, "no target")


def test_what_a_balancer_uses_cannot_be_deleted_and_what_is_deleted_answers_no_more(
    account: Account, elb: ElasticLoadBalancingv2Client
) -> None:
    account.open_port()
    url, _ = balancer(account, elb)
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.aws.ec2.delete_security_group(GroupId=account.group)
    (made,) = elb.describe_load_balancers()["LoadBalancers"]
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=120)
    account.aws.ec2.delete_security_group(GroupId=account.group)
