"""The two roles of a task. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypedDict

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate import logs
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import belonging, is_ours, name, read

POLICY = "mldeploy"
ROLE_LENGTH = 64


class Statement(TypedDict):
    """One statement of a policy (IAM policy grammar, version 2012-10-17)."""

    Effect: str
    Action: Sequence[str]
    Resource: Sequence[str]


class Purpose(StrEnum):
    """What a role is for."""

    EXECUTION = "execution"
    """Fargate itself pulls the image, reads the secrets and writes the log with it."""
    TASK = "task"
    """The app itself acts with it. It may do nothing."""


@dataclass(frozen=True, eq=False)
class Role(Step[FargateCloud, str]):
    """A role that tasks of this account may take, with exactly what it is for. Its output is the role's ARN."""

    purpose: ClassVar[Purpose]

    app: str
    repository: str
    """The ECR repository of the app's image."""
    secrets: tuple[str, ...] = ()
    """ARNs, or names of SSM parameters, that the app is given."""

    def key(self) -> Key:
        return Key(self.purpose, (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        role = name_of(cloud, self.key())
        with passing("NoSuchEntity"):
            found = cloud.iam.get_role(RoleName=role)["Role"]
            tags = read(found.get("Tags", ()))
            return Seen(found["Arn"], self._drift(cloud, role), ours=is_ours(tags, self.app))
        return None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        role = name_of(cloud, self.key())
        arn = seen.out if seen else self._create(cloud, role)
        wanted = self._wanted(cloud)
        if wanted:
            cloud.iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(policy(wanted)))
        elif seen:
            with passing("NoSuchEntity"):
                cloud.iam.delete_role_policy(RoleName=role, PolicyName=POLICY)
        return arn

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Policies first: a role that has any cannot be deleted."""
        role = name_of(cloud, key)
        if not is_there(cloud, key):
            return False
        with passing("NoSuchEntity"):
            _strip(cloud, role)
            cloud.iam.delete_role(RoleName=role)
        return True

    def _create(self, cloud: FargateCloud, role: str) -> str:
        with passing("EntityAlreadyExists"):
            made = cloud.iam.create_role(
                RoleName=role,
                AssumeRolePolicyDocument=json.dumps(trust(cloud.account.id)),
                Description=f"{self.app} on Fargate: {self.purpose} role",
                Tags=[{"Key": key, "Value": value} for key, value in belonging(self.app).items()],
            )
            return made["Role"]["Arn"]
        return cloud.iam.get_role(RoleName=role)["Role"]["Arn"]

    def _drift(self, cloud: FargateCloud, role: str) -> tuple[str, ...]:
        document: object = None
        with passing("NoSuchEntity"):
            document = cloud.iam.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
        wanted = self._wanted(cloud)
        return () if document == (policy(wanted) if wanted else None) else ("what it may do → what it needs",)

    def _wanted(self, cloud: FargateCloud) -> list[Statement]:
        if self.purpose is Purpose.TASK:
            return []
        return execution(cloud.account.partition, cloud.account.region, cloud.account.id, self)


@speaking_to("iam")
@dataclass(frozen=True, eq=False)
class ExecutionRole(Role):
    """Lets Fargate start a task."""

    kind: ClassVar[str] = "execution-role"
    title: ClassVar[str] = "Create the execution role"
    purpose: ClassVar[Purpose] = Purpose.EXECUTION


@speaking_to("iam")
@dataclass(frozen=True, eq=False)
class TaskRole(Role):
    """What the app itself may do in the account: nothing."""

    kind: ClassVar[str] = "task-role"
    title: ClassVar[str] = "Create the task role"
    purpose: ClassVar[Purpose] = Purpose.TASK


KINDS: Mapping[Purpose, str] = {step.purpose: step.kind for step in (ExecutionRole, TaskRole)}


def is_there(cloud: FargateCloud, key: Key) -> bool:
    """There is a role of this key, and it is ours."""
    with passing("NoSuchEntity"):
        found = cloud.iam.get_role(RoleName=name_of(cloud, key))["Role"]
        return is_ours(read(found.get("Tags", ())), key.scope[0])
    return False


def name_of(cloud: FargateCloud, key: Key) -> str:
    """A role's name, which is the account's and not a region's: the same app in two regions has two pairs of them."""
    return name(key.scope[0], cloud.account.region, key.name, limit=ROLE_LENGTH)


def trust(account: str) -> dict[str, object]:
    """Who may take a role: tasks of this account, and nobody through them (the confused deputy)."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def execution(partition: str, region: str, account: str, role: Role) -> list[Statement]:
    """What Fargate needs in order to start a task, and nothing else."""
    here = f"{region}:{account}"
    group = f"arn:{partition}:logs:{here}:log-group:{logs.name_of(role.app)}:*"
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    allowed = {
        ("ecr:GetAuthorizationToken",): ["*"],
        tuple(pull): [f"arn:{partition}:ecr:{here}:repository/{role.repository}"],
        ("logs:CreateLogStream", "logs:PutLogEvents"): [group],
        ("secretsmanager:GetSecretValue",): sorted({_secret(each) for each in role.secrets if _is_secret(each)}),
        ("ssm:GetParameters",): sorted(
            each if each.startswith("arn:") else f"arn:{partition}:ssm:{here}:parameter/{each.removeprefix('/')}"
            for each in role.secrets
            if not _is_secret(each)
        ),
    }
    return [_allow(actions, resources) for actions, resources in allowed.items() if resources]


def _is_secret(source: str) -> bool:
    """In Secrets Manager, rather than a parameter of SSM."""
    return ":secretsmanager:" in source


def _secret(source: str) -> str:
    """The secret's own ARN: what a variable is taken from may go on with a key in it, a stage and a version."""
    return ":".join(source.split(":")[:7])


def policy(statements: Sequence[Statement]) -> Mapping[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _strip(cloud: FargateCloud, role: str) -> None:
    for inline in cloud.iam.list_role_policies(RoleName=role)["PolicyNames"]:
        with passing("NoSuchEntity"):
            cloud.iam.delete_role_policy(RoleName=role, PolicyName=inline)
    for attached in cloud.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        with passing("NoSuchEntity"):
            cloud.iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])
