"""The stand-in holds its users to their policies: nothing that `mldeploy policy` prints is missing, or too much."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.providers.aws.errors import translate_error
from mldeploy.providers.aws.fargate.iam import trust_policy
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.capabilities import PolicyKind, PolicyPart
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from tests.aws.fargate.harness import Deployer
from tests.aws.fargate.test_conformance import FargateStage, strangers
from tests.aws.harness import create_user, list_actions, session
from tests.aws.test_permissions import REGISTRY, REPAIRS
from tests.tiny import project_of

BOUNDARY, OTHER = (f"arn:aws:iam::123456789012:policy/{each}" for each in ("limits", "other"))
TRUST = json.dumps(trust_policy("123456789012"))
ROLE = "mldeploy-paper-us-east-1-task"
TRIAL = {
    "ec2:DescribeInstances",
    "ecs:RunTask",
    "ecs:StopTask",
    "elasticloadbalancing:CreateRule",
    "elasticloadbalancing:DeleteRule",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyRule",
    "elasticloadbalancing:RegisterTargets",
}
NOT_CALLED = {
    **dict.fromkeys(TRIAL, "a golden row, which the app of this test has not"),
    **dict.fromkeys(REGISTRY, "the registry itself asks for it during a push"),
    **dict.fromkeys(REPAIRS, "a repository whose settings somebody has changed"),
    "ecs:UntagResource": "a canary that is promoted: test_canary.py",
    "elasticloadbalancing:DescribeTargetHealth": "a version that is not healthy; a domain that does not lead there yet",
    "elasticloadbalancing:ModifyListener": "another certificate: test_stock.py",
    "elasticloadbalancing:ModifyTargetGroup": "another health path",
    "elasticloadbalancing:SetSecurityGroups": "a balancer that somebody has changed",
    "elasticloadbalancing:SetSubnets": "other subnets",
    "iam:DetachRolePolicy": "a role to which somebody has attached a policy",
    "iam:PutRolePermissionsBoundary": "a boundary that is set later: test_stock.py",
    "secretsmanager:DescribeSecret": "stored secrets: TestSecrets in test_conformance.py",
    "logs:GetLogEvents": "why a task has stopped: test_verdicts.py",
}
"""Actions that the journey below does not use: when they are used."""


@pytest.mark.engine
@proves(Promise.POLICY, targets=("fargate",))
def test_a_whole_life_uses_what_the_policy_allows(quick: Rehearsal, tiny: Path, tmp_path: Path) -> None:
    """From nothing, again, changed, scaled, rolled back, stopped and away, with a load balancer and autoscaling."""
    project = project_of(tiny)
    settings: dict[str, object] = {"permissions_boundary": BOUNDARY, "role_path": "/team/", "log_retention": 7}
    balanced: dict[str, object] = {**settings, "ingress": "load-balancer", "min": 1, "max": 2}
    stage = FargateStage(provider, FargateSettings.model_validate(balanced), quick, strangers, project)
    stage.reset()
    allow_everything(quick, BOUNDARY)
    quick.control.send("DELETE permissions")

    def walk(settings: dict[str, object], project: Project = project) -> DeploymentUnderTest:
        chosen = FargateSettings.model_validate(settings)
        return DeploymentUnderTest(provider, chosen, stage.endpoints, project, tmp_path)

    first = walk(settings)
    first.deploy()
    first.service.scale(2, first.monitor)
    second = walk({**settings, "log_retention": 14}, replace(project, app=replace(project.app, port=8099)))
    second.deploy()
    second.service.rollback(None, second.monitor)
    list(second.service.logs(follow=False, tail=5))
    assert second.service.releases()
    second.destroy()
    third = walk(balanced)
    third.deploy()
    third.deploy()
    third.service.stop()
    last = walk({**balanced, "target_requests": 100})
    last.deploy()
    last.service.instances()
    last.destroy()

    used = set(quick.control.send("GET permissions"))
    unused = list_actions(stage.list_policies(project)) - used
    assert unused - NOT_CALLED.keys() == set(), "the policy has too much"
    assert NOT_CALLED.keys() - unused == set(), "it is used after all"


def allow_everything(rehearsal: Rehearsal, boundary: str) -> None:
    """A boundary that bounds nothing."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = session(rehearsal).client("iam", endpoint_url=rehearsal.endpoints.url)
    iam.create_policy(PolicyName=boundary.rpartition("/")[2], PolicyDocument=json.dumps(document))


@pytest.fixture
def bounded(quick: Rehearsal, tmp_path: Path) -> boto3.Session:
    """The SDK with the keys of a user who deploys below a boundary."""
    quick.reset()
    deployer = Deployer.of(quick, tmp_path, permissions_boundary=BOUNDARY).restricted()
    assert deployer.user is not None
    keys = {name: value.reveal() for name, value in deployer.user.credentials}
    return boto3.Session(keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=quick.endpoints.region)


ESCALATIONS: dict[str, Callable[[boto3.Session, str], object]] = {
    "a role without the boundary": lambda aws, url: aws.client("iam", endpoint_url=url).create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=TRUST
    ),
    "a role with another boundary": lambda aws, url: aws.client("iam", endpoint_url=url).create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=OTHER
    ),
    "a policy of a role without the boundary": lambda aws, url: aws.client("iam", endpoint_url=url).put_role_policy(
        RoleName=ROLE, PolicyName="mldeploy", PolicyDocument="{}"
    ),
    "another boundary of a role": lambda aws, url: aws.client("iam", endpoint_url=url).put_role_permissions_boundary(
        RoleName=ROLE, PermissionsBoundary=OTHER
    ),
    "no boundary of a role any more": lambda aws, url: aws.client(
        "iam", endpoint_url=url
    ).delete_role_permissions_boundary(RoleName=ROLE),
    "a managed policy of a role": lambda aws, url: aws.client("iam", endpoint_url=url).attach_role_policy(
        RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "whom a role trusts": lambda aws, url: aws.client("iam", endpoint_url=url).update_assume_role_policy(
        RoleName=ROLE, PolicyDocument="{}"
    ),
    "a task with another role": lambda aws, url: aws.client("ecs", endpoint_url=url).register_task_definition(
        family="mldeploy-paper", containerDefinitions=[], taskRoleArn="arn:aws:iam::123456789012:role/admin"
    ),
    "another app's cluster": lambda aws, url: aws.client("ecs", endpoint_url=url).delete_cluster(
        cluster="mldeploy-another"
    ),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_below_a_boundary_nobody_gains_more(quick: Rehearsal, bounded: boto3.Session, what: str) -> None:
    """A role of the right name exists that somebody else has made, without a boundary."""
    if not what.startswith("a role"):
        iam = session(quick).client("iam", endpoint_url=quick.endpoints.url)
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(
        ClientError, match=r"user/deployer is not authorized to perform: \S+ on resource: arn:aws:"
    ) as no:
        ESCALATIONS[what](bounded, quick.endpoints.url)
    assert no.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    error: MldeployError = translate_error("the app", "iam", no.value)
    assert "user/deployer has no permission for" in error.what


def test_a_document_that_is_too_long_is_refused_in_the_words_of_iam(quick: Rehearsal) -> None:
    quick.reset()
    actions = [f"ecs:Action{number:05}" for number in range(400)]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    long = {"Version": "2012-10-17", "Statement": [statement]}
    with pytest.raises(ClientError, match="Cannot exceed quota for PolicySize: 6144"):
        create_user(quick, [PolicyPart("long", PolicyKind.POLICY, "", long)])


@pytest.mark.parametrize("keys", [(), ("arn:aws:kms:us-east-1:123456789012:key/1234abcd",)])
def test_a_secret_under_a_customers_key_needs_the_key(quick: Rehearsal, tmp_path: Path, keys: tuple[str, ...]) -> None:
    """With the key the next thing is missing, which is the image."""
    quick.reset()
    secrets = session(quick).client("secretsmanager", endpoint_url=quick.endpoints.url)
    arn = secrets.create_secret(Name="greeting", SecretString="hello", KmsKeyId="1234abcd")["ARN"]
    app = Deployer.of(quick, tmp_path, secrets={"GREETING": arn}, secrets_kms_keys=list(keys))
    with pytest.raises(MldeployError) as failed:
        app.deploy("paper")
    assert ("secrets_kms_keys" in str(failed.value)) is not bool(keys)
    app.destroy()


def test_a_role_can_do_no_more_than_its_boundary(quick: Rehearsal, tmp_path: Path) -> None:
    """A boundary that does not exist allows nothing."""
    quick.reset()
    app = Deployer.of(quick, tmp_path, permissions_boundary=BOUNDARY)
    with pytest.raises(MldeployError, match="ecr:GetAuthorizationToken"):
        app.deploy()
    app.destroy()
