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
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags, resource_name

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
        role = role_name(cloud, self.key())
        with ignore_codes("NoSuchEntity"):
            existing = cloud.iam.get_role(RoleName=role)["Role"]
            tags = read_tags(existing.get("Tags", ()))
            return Seen(existing["Arn"], self._drift(cloud, role), ours=is_owned(tags, self.app))
        return None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        role = role_name(cloud, self.key())
        arn = seen.out if seen else self._create(cloud, role)
        statements = self._build_statements(cloud)
        if statements:
            cloud.iam.put_role_policy(
                RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(policy_document(statements))
            )
        elif seen:
            with ignore_codes("NoSuchEntity"):
                cloud.iam.delete_role_policy(RoleName=role, PolicyName=POLICY)
        return arn

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Policies first: a role that has any cannot be deleted."""
        role = role_name(cloud, key)
        if not owned_role_exists(cloud, key):
            return False
        with ignore_codes("NoSuchEntity"):
            _remove_policies(cloud, role)
            cloud.iam.delete_role(RoleName=role)
        return True

    def _create(self, cloud: FargateCloud, role: str) -> str:
        with ignore_codes("EntityAlreadyExists"):
            created = cloud.iam.create_role(
                RoleName=role,
                AssumeRolePolicyDocument=json.dumps(trust_policy(cloud.account.id)),
                Description=f"{self.app} on Fargate: {self.purpose} role",
                Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
            )
            return created["Role"]["Arn"]
        return cloud.iam.get_role(RoleName=role)["Role"]["Arn"]

    def _drift(self, cloud: FargateCloud, role: str) -> tuple[str, ...]:
        document: object = None
        with ignore_codes("NoSuchEntity"):
            document = cloud.iam.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
        statements = self._build_statements(cloud)
        return (
            ()
            if document == (policy_document(statements) if statements else None)
            else ("what it may do → what it needs",)
        )

    def _build_statements(self, cloud: FargateCloud) -> list[Statement]:
        if self.purpose is Purpose.TASK:
            return []
        return execution_statements(cloud.account.partition, cloud.account.region, cloud.account.id, self)


@translate_errors("iam")
@dataclass(frozen=True, eq=False)
class ExecutionRole(Role):
    """Lets Fargate start a task."""

    kind: ClassVar[str] = "execution-role"
    title: ClassVar[str] = "Create the execution role"
    purpose: ClassVar[Purpose] = Purpose.EXECUTION


@translate_errors("iam")
@dataclass(frozen=True, eq=False)
class TaskRole(Role):
    """What the app itself may do in the account: nothing."""

    kind: ClassVar[str] = "task-role"
    title: ClassVar[str] = "Create the task role"
    purpose: ClassVar[Purpose] = Purpose.TASK


KINDS: Mapping[Purpose, str] = {step.purpose: step.kind for step in (ExecutionRole, TaskRole)}


def owned_role_exists(cloud: FargateCloud, key: Key) -> bool:
    """There is a role of this key, and it is ours."""
    with ignore_codes("NoSuchEntity"):
        existing = cloud.iam.get_role(RoleName=role_name(cloud, key))["Role"]
        return is_owned(read_tags(existing.get("Tags", ())), key.scope[0])
    return False


def role_name(cloud: FargateCloud, key: Key) -> str:
    """A role's name, which is the account's and not a region's: the same app in two regions has two pairs of them."""
    return resource_name(key.scope[0], cloud.account.region, key.name, limit=ROLE_LENGTH)


def trust_policy(account: str) -> dict[str, object]:
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


def execution_statements(partition: str, region: str, account: str, role: Role) -> list[Statement]:
    """What Fargate needs in order to start a task, and nothing else."""
    here = f"{region}:{account}"
    group = f"arn:{partition}:logs:{here}:log-group:{logs.log_group_name(role.app)}:*"
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    allowed = {
        ("ecr:GetAuthorizationToken",): ["*"],
        tuple(pull): [f"arn:{partition}:ecr:{here}:repository/{role.repository}"],
        ("logs:CreateLogStream", "logs:PutLogEvents"): [group],
        ("secretsmanager:GetSecretValue",): sorted({_secret_arn(each) for each in role.secrets if _is_secret(each)}),
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


def _secret_arn(source: str) -> str:
    """The secret's own ARN: what a variable is taken from may go on with a key in it, a stage and a version."""
    return ":".join(source.split(":")[:7])


def policy_document(statements: Sequence[Statement]) -> Mapping[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _remove_policies(cloud: FargateCloud, role: str) -> None:
    for inline in cloud.iam.list_role_policies(RoleName=role)["PolicyNames"]:
        with ignore_codes("NoSuchEntity"):
            cloud.iam.delete_role_policy(RoleName=role, PolicyName=inline)
    for attached in cloud.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        with ignore_codes("NoSuchEntity"):
            cloud.iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])
