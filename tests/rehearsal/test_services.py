"""A service keeps its tasks, brings a new version in without a gap, and gives up one that cannot live."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import pytest
from botocore.exceptions import ClientError

from mldeploy.image.engine import Engine
from tests.rehearsal.account import OTHER_TRUST, TRUST, Account, answers, eventually
from tests.rehearsal.clients import Clients

pytestmark = pytest.mark.engine

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def account(aws: Clients, engine: Engine) -> Account:
    made = Account.made(aws, engine)
    made.open_port()
    return made


@pytest.mark.exhaustive
def test_a_new_version_takes_over_before_the_old_one_goes(account: Account) -> None:
    first, second = account.define(checked=True), account.define(checked=True)
    account.serve(first)
    account.completed(first)
    (old,) = account.tasks()
    account.aws.ecs.update_service(cluster="c", service="s", taskDefinition=second)
    eventually(lambda: len(account.tasks()) > 1 or None, "both versions at once")
    service = account.completed(second)
    assert service["runningCount"] == 1
    (new,) = account.tasks()
    assert new != old
    assert answers(account.url(new))
    assert account.task(old)["stopCode"] == "ServiceSchedulerInitiated"


@pytest.mark.exhaustive
def test_a_version_that_cannot_live_is_given_up_and_the_old_one_stays(account: Account) -> None:
    good, bad = account.define(checked=True), account.define("exit 7", checked=True)
    account.serve(good, deploymentConfiguration=BREAKER)
    account.completed(good)
    (old,) = account.tasks()
    account.aws.ecs.update_service(cluster="c", service="s", taskDefinition=bad)
    eventually(lambda: account.service["deployments"][0]["failedTasks"] or None, "a failure that shows")
    service = account.completed(good)
    assert account.tasks() == [old]
    assert answers(account.url(old))
    assert any("tasks failed to start" in event["message"] for event in service["events"])


def test_the_number_of_tasks_follows_the_wish(account: Account) -> None:
    definition = account.define()
    account.serve(definition)
    account.completed(definition)
    for count in (3, 1):
        account.aws.ecs.update_service(cluster="c", service="s", desiredCount=count)
        eventually(partial(runs, account, count), f"{count} tasks")


def runs(account: Account, count: int) -> bool | None:
    return account.service["runningCount"] == count or None


def test_a_second_service_of_the_same_name_is_refused_unless_it_is_the_same_call(account: Account) -> None:
    definition = account.define()
    account.serve(definition, count=0, clientToken="one")
    account.serve(definition, count=0, clientToken="one")
    with pytest.raises(ClientError, match="not idempotent"):
        account.serve(definition, count=0, clientToken="two")


def test_a_service_drains_before_it_is_gone(account: Account) -> None:
    definition = account.define()
    account.serve(definition)
    account.completed(definition)
    with pytest.raises(ClientError, match="scaled above 0"):
        account.aws.ecs.delete_service(cluster="c", service="s")
    account.aws.ecs.delete_service(cluster="c", service="s", force=True)
    with pytest.raises(account.aws.ecs.exceptions.ClusterContainsServicesException):
        account.aws.ecs.delete_cluster(cluster="c")
    with pytest.raises(ClientError, match="still Draining"):
        account.serve(definition)
    eventually(lambda: account.service["status"] == "INACTIVE" or None, "a service that is gone")
    assert account.aws.ecs.list_services(cluster="c")["serviceArns"] == []
    account.aws.ecs.delete_cluster(cluster="c")


def test_a_service_whose_role_does_not_exist_yet_says_so_and_goes_on_trying(account: Account) -> None:
    definition = account.define()
    account.aws.iam.update_assume_role_policy(RoleName="execution", PolicyDocument=OTHER_TRUST)
    account.serve(definition)

    def find_event() -> bool | None:
        return any("unable to assume the role" in event["message"] for event in account.service["events"]) or None

    eventually(find_event, "an event")
    account.aws.iam.update_assume_role_policy(RoleName="execution", PolicyDocument=TRUST)
    account.completed(definition)


def test_what_is_no_longer_scaled_is_not_found(account: Account) -> None:
    """A repeated deletion after a lost response is answered as in AWS."""
    client = account.aws.session.client("application-autoscaling", endpoint_url=account.rehearsal.endpoints.url)
    with closing(client) as scaling, pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/c/s", ScalableDimension="ecs:service:DesiredCount"
        )
