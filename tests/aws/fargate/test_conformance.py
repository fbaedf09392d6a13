"""The target `fargate` passes what every provider must pass; its tasks answer without a container behind them.

All of it is done by a user who has exactly what `mldeploy policy` prints.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.capabilities import PolicyPart
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.suite import Conformance
from tests.aws.harness import AwsStage, list_policies
from tests.earlier_permissions import EarlierPermissions
from tests.tiny import project_of

BY_ID = ("ecs:task", "ec2:network-interface", "elasticloadbalancing:listener", "elasticloadbalancing:rule")
"""What AWS calls by an id of its own."""


@dataclass(frozen=True)
class FargateStage(AwsStage[FargateCloud, FargateSettings]):
    """Tasks and listeners are compared by their number alone, and revisions by their family.

    A registration whose answer was lost is sent again, and AWS makes a second, equal revision of it: nobody can tell.
    """

    def contents(self) -> Sequence[str]:
        things = self.rehearsal.contents()
        named = [f"{each.kind} {each.name}" for each in things if each.kind not in (*BY_ID, "ecs:task-definition")]
        families = {each.name.partition(":")[0] for each in things if each.kind == "ecs:task-definition"}
        return [*named, *(each.kind for each in things if each.kind in BY_ID), *sorted(families)]


def strangers(rehearsal: Rehearsal, session: boto3.Session) -> None:
    """A cluster, a group and a role of another app's, and a log group of somebody who never heard of mldeploy."""
    url = rehearsal.endpoints.url
    ecs, ec2 = session.client("ecs", endpoint_url=url), session.client("ec2", endpoint_url=url)
    ecs.create_cluster(
        clusterName="mldeploy-another",
        tags=[{"key": "mldeploy:app", "value": "another"}, {"key": "mldeploy:target", "value": "fargate"}],
    )
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    ec2.create_security_group(GroupName="mldeploy-another-tasks", Description="another", VpcId=vpc)
    newcomers(rehearsal, session)


def newcomers(rehearsal: Rehearsal, session: boto3.Session) -> None:
    """What is there in an account where nobody has used ECS yet."""
    url = rehearsal.endpoints.url
    session.client("logs", endpoint_url=url).create_log_group(logGroupName="/mldeploy/another")
    session.client("iam", endpoint_url=url).create_role(RoleName="stranger", AssumeRolePolicyDocument="{}")


LISTED = "secretsmanager:ListSecrets"
"""Policies of earlier versions do not allow it: TestSecrets."""


@pytest.mark.engine
class TestFargate(Conformance):
    """A service with a public address. A case is a whole deployment and its removal: the quick tests try few."""

    target = "fargate"
    few = 2

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: Rehearsal, project: Project) -> FargateStage:
        return FargateStage(provider, FargateSettings.model_validate({}), quick, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    def is_required(self, action: str) -> bool:
        return action != LISTED


@pytest.mark.engine
@pytest.mark.exhaustive
class TestBehindALoadBalancer(Conformance):
    """The same with a load balancer and autoscaling; what is the same is not struck again."""

    target = "fargate"
    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: Rehearsal, project: Project) -> FargateStage:
        settings = FargateSettings.model_validate({"ingress": "load-balancer", "min": 1, "max": 2})
        return FargateStage(provider, settings, quick, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    def is_tried(self, action: str) -> bool:
        return action.startswith(("elasticloadbalancing:", "application-autoscaling:"))


OF_THE_TRIAL = (
    "ecs:RunTask",
    "ecs:StopTask",
    "ecs:TagResource",
    "elasticloadbalancing:CreateRule",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:DeleteRule",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:RegisterTargets",
)


@pytest.mark.engine
@pytest.mark.exhaustive
class TestInAFreshAccount(Conformance):
    """A new account in a busy region, and a golden row: the calls of its trial are struck."""

    target = "fargate"
    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, fresh: Rehearsal) -> FargateStage:
        return FargateStage(provider, FargateSettings.model_validate({"ingress": "load-balancer"}), fresh, newcomers)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
        golden, project = tmp_path_factory.mktemp("golden") / "golden.json", project_of(tiny)
        golden.write_text(json.dumps({"path": "/predict", "request": {}, "expect": {}}))
        return replace(project, check=replace(project.check, golden=golden))

    def is_tried(self, action: str) -> bool:
        return action in OF_THE_TRIAL


class StoringStage(FargateStage):
    """With what `mldeploy policy --with secrets` prints."""

    def list_policies(self, project: Project) -> tuple[PolicyPart, ...]:
        cloud = self.provider.connect(project, self.settings, self.rehearsal.endpoints)
        return list_policies(self.provider, cloud, project, self.settings, ("secrets",))


@pytest.mark.engine
class TestSecrets(EarlierPermissions):
    """The app's secrets are in Secrets Manager."""

    target = "fargate"
    listed = LISTED

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, quick: Rehearsal, project: Project) -> FargateStage:
        return StoringStage(provider, FargateSettings.model_validate({}), quick, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    def is_tried(self, verb: str, action: str) -> bool:
        """A removal goes on without the lists of secrets, which earlier policies do not allow."""
        return verb != "destroy" or action not in (LISTED, "secretsmanager:DescribeSecret")
