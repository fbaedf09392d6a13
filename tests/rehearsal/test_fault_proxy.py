"""The gateway logs and authenticates each call, and injects faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from mldeploy.rehearsal.aws import FaultKind, FaultOrder, LoggedCall, Rehearsal
from tests.rehearsal.clients import Clients


def code(call: Callable[[], object]) -> str:
    """The error code with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def clusters(rehearsal: Rehearsal) -> int:
    return sum(thing.kind == "ecs:cluster" for thing in rehearsal.contents())


def test_every_call_is_numbered_and_known_by_its_name_in_iam(rehearsal: Rehearsal, aws: Clients) -> None:
    aws.sts.get_caller_identity()
    aws.ec2.describe_vpcs()
    aws.ecs.create_cluster(clusterName="c")
    aws.logs.create_log_group(logGroupName="/g")
    assert rehearsal.calls() == (
        LoggedCall(1, "sts:GetCallerIdentity", writing=False),
        LoggedCall(2, "ec2:DescribeVpcs", writing=False),
        LoggedCall(3, "ecs:CreateCluster", writing=True),
        LoggedCall(4, "logs:CreateLogGroup", writing=True),
    )


def test_a_key_that_does_not_exist_is_refused_in_each_protocols_words(rehearsal: Rehearsal) -> None:
    with closing(Clients(rehearsal, key="AKIAIOSFODNN7EXAMPLE")) as stranger:
        assert code(stranger.sts.get_caller_identity) == "InvalidClientTokenId"
        assert code(stranger.ecs.list_clusters) == "UnrecognizedClientException"
        assert code(stranger.ec2.describe_vpcs) == "AuthFailure"
    assert rehearsal.calls() == ()


def test_a_page_that_knows_no_token_cannot_give_orders(rehearsal: Rehearsal) -> None:
    assert requests.post(f"{rehearsal.record.url}/rehearsal/reset", timeout=120).status_code == 403


@pytest.mark.parametrize(
    ("kind", "ecs", "iam", "ec2"),
    [
        (FaultKind.THROTTLE, "ThrottlingException", "Throttling", "RequestLimitExceeded"),
        (FaultKind.ERROR, "ServerException", "InternalFailure", "InternalError"),
        (FaultKind.DENIED, "AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
    ],
)
def test_a_refusal_is_said_in_each_protocols_words_and_nothing_is_done(
    rehearsal: Rehearsal, aws: Clients, kind: FaultKind, ecs: str, iam: str, ec2: str
) -> None:
    rehearsal.faults.inject(FaultOrder(kind, times=0))
    assert code(lambda: aws.ecs.create_cluster(clusterName="c")) == ecs
    assert code(lambda: aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")) == iam
    assert code(lambda: aws.ec2.create_security_group(GroupName="g", Description="d")) == ec2
    assert rehearsal.faults.wait_for_injections() == 3
    assert rehearsal.contents() == ()


def test_a_missing_permission_is_named(rehearsal: Rehearsal, aws: Clients) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, "ecs:CreateCluster"))
    with pytest.raises(ClientError, match="not authorized to perform: ecs:CreateCluster"):
        aws.ecs.create_cluster(clusterName="c")


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        (FaultKind.TIMEOUT, ReadTimeoutError, 0),
        (FaultKind.LOST, ReadTimeoutError, 1),
        (FaultKind.CUT_BEFORE, ConnectionClosedError, 0),
        (FaultKind.CUT_AFTER, ConnectionClosedError, 1),
    ],
)
def test_without_an_answer_the_client_cannot_tell_whether_it_was_done(
    rehearsal: Rehearsal, aws: Clients, kind: FaultKind, error: type[Exception], made: int
) -> None:
    rehearsal.faults.inject(FaultOrder(kind, "ecs:CreateCluster"))
    aws.ecs.list_clusters()  # what takes its time at first has been done
    patience = 60 if error is ConnectionClosedError else 1
    with closing(Clients(rehearsal, patience=patience)) as client, pytest.raises(error):
        client.ecs.create_cluster(clusterName="c")
    assert rehearsal.faults.wait_for_injections(within=300) == 1
    assert clusters(rehearsal) == made
    aws.ecs.create_cluster(clusterName="c")  # the fault is used up
    assert clusters(rehearsal) == 1


def test_a_delay_is_a_late_answer(rehearsal: Rehearsal, aws: Clients) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.DELAY, seconds=0.3))
    begun = time.monotonic()
    aws.ecs.create_cluster(clusterName="c")
    assert time.monotonic() - begun >= 0.3


def test_the_sdk_heals_what_happens_once(rehearsal: Rehearsal) -> None:
    rehearsal.faults.inject(
        FaultOrder(FaultKind.THROTTLE, "ecs:CreateCluster"), FaultOrder(FaultKind.CUT_BEFORE, "iam:ListRoles")
    )
    with closing(Clients(rehearsal, attempts=3)) as patient:
        patient.ecs.create_cluster(clusterName="c")
        patient.iam.list_roles()
    assert [call.action for call in rehearsal.calls()] == ["ecs:CreateCluster"] * 2 + ["iam:ListRoles"] * 2


def test_a_fault_can_be_ordered_for_a_numbered_call_alone(rehearsal: Rehearsal, aws: Clients) -> None:
    aws.ecs.list_clusters()
    rehearsal.faults.inject(FaultOrder.at(2, FaultKind.ERROR))
    aws.ecs.list_clusters()
    assert code(aws.ecs.list_clusters) == "ServerException"
    aws.ecs.list_clusters()


def test_a_fault_can_be_ordered_for_some_calls_of_an_operation(rehearsal: Rehearsal, aws: Clients) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.ERROR, "ecs:ListClusters", skip=1, times=2))
    aws.sts.get_caller_identity()
    aws.ecs.list_clusters()
    assert [code(aws.ecs.list_clusters) for _ in range(2)] == ["ServerException"] * 2
    aws.ecs.list_clusters()


def test_whoever_waits_for_a_fault_hears_of_it_while_its_client_is_held(rehearsal: Rehearsal, aws: Clients) -> None:
    rehearsal.faults.inject(FaultOrder(FaultKind.LOST, "ecs:CreateCluster"))
    assert rehearsal.faults.wait_for_injections(within=0) == 0
    with ThreadPoolExecutor() as pool:
        call = pool.submit(aws.ecs.create_cluster, clusterName="c")
        assert rehearsal.faults.wait_for_injections(within=300) == 1
        assert not call.done()
        rehearsal.faults.clear()
        with pytest.raises(ConnectionClosedError):
            call.result()


def test_a_new_account_holds_nothing_that_anybody_made(rehearsal: Rehearsal, aws: Clients) -> None:
    aws.ecs.create_cluster(clusterName="c", tags=[{"key": "mldeploy:app", "value": "a"}])
    made = rehearsal.contents()
    assert [(thing.kind, thing.name, thing.tags) for thing in made] == [("ecs:cluster", "c", {"mldeploy:app": "a"})]
    rehearsal.reset()
    assert rehearsal.contents() == ()
    assert rehearsal.calls() == ()
