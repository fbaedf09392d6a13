"""A task is a container that answers, if everything is right that AWS would ask for; else it says what is not."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mldeploy.image.engine import Engine
from tests.rehearsal.account import EXECUTION_POLICY, OTHER_TRUST, Account, answers, eventually
from tests.rehearsal.clients import Clients

pytestmark = pytest.mark.engine


@pytest.fixture
def account(aws: Clients, engine: Engine) -> Account:
    return Account.made(aws, engine)


def containers(account: Account, engine: Engine) -> list[dict[str, Any]]:
    label = f"mldeploy.rehearsal={account.rehearsal.record.name}"
    lines: list[dict[str, Any]] = engine.client.containers(all=True, filters={"label": label})
    return lines


def stopped(account: Account, arn: str) -> str:
    """The reason of a task that comes to an end."""
    return str(account.until(arn, "STOPPED")["stoppedReason"])


def test_a_task_answers_once_its_port_is_open_and_no_longer_when_it_is_closed(account: Account) -> None:
    arn = account.run(account.define())
    account.until(arn, "RUNNING")
    url = account.url(arn)
    assert not answers(url)
    account.open_port()
    eventually(lambda: answers(url) or None, "an answer")


def test_what_a_task_writes_is_in_its_log_stream_and_its_end_is_told(account: Account, engine: Engine) -> None:
    arn = account.run(account.define("echo boom; exit 3"))
    task = account.until(arn, "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3
    stream = f"x/app/{arn.rpartition('/')[2]}"
    events = account.aws.logs.get_log_events
    lines = eventually(lambda: events(logGroupName="/app", logStreamName=stream)["events"] or None, "a line of the log")
    assert [event["message"] for event in lines] == ["boom"]
    assert containers(account, engine) == []


def test_a_task_that_is_stopped_says_who_did_it_and_leaves_nothing(account: Account, engine: Engine) -> None:
    arn = account.run(account.define())
    account.until(arn, "RUNNING")
    (container,) = containers(account, engine)
    assert container["Labels"]["mldeploy.rehearsal.task"] == arn
    account.aws.ecs.stop_task(cluster="c", task=arn, reason="enough")
    task = account.until(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert containers(account, engine) == []
    assert not [thing for thing in account.rehearsal.contents() if thing.kind == "ec2:network-interface"]


def test_memory_that_does_not_suffice_is_named(account: Account) -> None:
    arn = account.run(account.define("exec python3 -c 'bytearray(700 << 20)'"))
    task = account.until(arn, "STOPPED")
    assert task["containers"][0]["reason"].startswith("OutOfMemoryError")
    assert task["containers"][0]["exitCode"] == 137


def test_environment_user_and_read_only_root_reach_the_container(account: Account) -> None:
    script = 'echo "$GREETING $(id -u)"; touch /x; sleep 1'
    arn = account.run(
        account.define(
            script, environment=[{"name": "GREETING", "value": "hi"}], user="10001", readonlyRootFilesystem=True
        )
    )
    account.until(arn, "STOPPED")
    stream = f"x/app/{arn.rpartition('/')[2]}"
    events = account.aws.logs.get_log_events
    lines = eventually(
        lambda: lines if len(lines := events(logGroupName="/app", logStreamName=stream)["events"]) > 1 else None, "both"
    )
    complaint, greeting = sorted((each["message"] for each in lines), key="hi 10001".__eq__)  # they come by two ways
    assert greeting == "hi 10001"
    assert "Read-only file system" in complaint


def test_secrets_are_read_with_the_role_as_the_task_starts(account: Account) -> None:
    """A whole secret, one key of it, and a parameter: never in the task definition."""
    session, url = account.aws.session, account.rehearsal.endpoints.url
    hidden = json.dumps({"password": "hush"})
    with closing(session.client("secretsmanager", endpoint_url=url)) as manager:
        secret = manager.create_secret(Name="key", SecretString=hidden)["ARN"]
    with closing(session.client("ssm", endpoint_url=url)) as ssm:
        ssm.put_parameter(Name="/app/token", Value="quiet", Type="SecureString")
    sources = {"WHOLE": secret, "KEY": f"{secret}:password::", "TOKEN": "/app/token"}
    named = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    definition = account.define('echo "$WHOLE $KEY $TOKEN"', secrets=named)
    assert "not authorized to perform: secretsmanager:GetSecretValue" in stopped(account, account.run(definition))

    actions = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": [secret, "arn:aws:ssm:*:*:parameter/app/token"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.aws.iam.put_role_policy(RoleName="execution", PolicyName="secrets", PolicyDocument=policy)
    arn = account.run(definition)
    account.until(arn, "STOPPED")
    events = account.aws.logs.get_log_events
    stream = f"x/app/{arn.rpartition('/')[2]}"
    lines = eventually(lambda: events(logGroupName="/app", logStreamName=stream)["events"] or None, "a line of the log")
    assert [event["message"] for event in lines] == [f"{hidden} hush quiet"]


def test_an_image_that_is_not_in_the_registry_cannot_be_pulled(account: Account) -> None:
    missing = account.image.partition("@")[0] + "@sha256:" + "0" * 64
    reason = stopped(account, account.run(account.define(image=missing)))
    assert reason.startswith("CannotPullContainerError")
    assert "not found" in reason or "manifest unknown" in reason


def test_an_image_of_another_processor_cannot_be_pulled(account: Account) -> None:
    account.definition = {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}
    assert "matching platform 'linux/arm64'" in stopped(account, account.run(account.define()))


def test_a_role_that_may_not_pull_is_named_with_the_action(account: Account) -> None:
    account.aws.iam.detach_role_policy(RoleName="execution", PolicyArn=EXECUTION_POLICY)
    reason = stopped(account, account.run(account.define()))
    assert "not authorized to perform: ecr:GetAuthorizationToken" in reason


def test_without_a_public_address_there_is_no_way_to_the_registry(account: Account) -> None:
    account.public = "DISABLED"
    assert "cannot pull registry auth" in stopped(account, account.run(account.define()))


def test_a_log_group_that_does_not_exist_keeps_a_task_from_starting(account: Account) -> None:
    account.aws.logs.delete_log_group(logGroupName="/app")
    assert "The specified log group does not exist" in stopped(account, account.run(account.define()))


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ({"cpu": "256", "memory": "4096"}, "No Fargate configuration exists for given values: 256 CPU, 4096 memory"),
        ({"cpu": "300", "memory": "512"}, "No Fargate configuration exists"),
        ({"networkMode": "bridge"}, "awsvpc"),
        ({"executionRoleArn": ""}, "requires task definition to have execution role ARN"),
        ({"executionRoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Role is not valid"),
    ],
)
def test_a_task_definition_that_fargate_cannot_run_is_refused(
    aws: Clients, definition: dict[str, str], complaint: str
) -> None:
    role = aws.iam.create_role(RoleName="execution", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    account = Account(aws, "image", role, "", "", definition=definition)
    with pytest.raises(ClientError, match=complaint):
        account.define()


def test_a_role_that_ecs_may_not_take_on_is_refused(account: Account) -> None:
    account.aws.iam.update_assume_role_policy(RoleName="execution", PolicyDocument=OTHER_TRUST)
    with pytest.raises(ClientError, match="ECS was unable to assume the role"):
        account.run(account.define())


def test_a_security_group_that_a_task_uses_cannot_be_deleted(account: Account) -> None:
    arn = account.run(account.define())
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.aws.ec2.delete_security_group(GroupId=account.group)
    with pytest.raises(account.aws.ecs.exceptions.ClusterContainsTasksException):
        account.aws.ecs.delete_cluster(cluster="c")
    account.aws.ecs.stop_task(cluster="c", task=arn)
    account.until(arn, "STOPPED")
    account.aws.ec2.delete_security_group(GroupId=account.group)
    account.aws.ecs.delete_cluster(cluster="c")
