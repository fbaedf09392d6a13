"""The two roles of a task. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypedDict

from mldeploy.config.errors import ConfigError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate import logs
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.secrets import list_app_secrets, secret_prefix
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.aws.fargate.tags import TARGET, is_owned, owner_tags, read_tags, resource_name
from mldeploy.providers.aws.fargate.task_roles import Purpose

if TYPE_CHECKING:  # the stubs are for development alone
    from types_boto3_iam.type_defs import RoleTypeDef

SERVICE = "ecs-tasks.amazonaws.com"
"""The service that takes the roles, in every partition."""
POLICY = "mldeploy"
ROLE_LENGTH = 64


class Statement(TypedDict):
    """One statement of a policy (IAM policy grammar, version 2012-10-17)."""

    Effect: str
    Action: Sequence[str]
    Resource: Sequence[str]


@dataclass(frozen=True, eq=False)
class Role(Step[FargateCloud, str]):
    """A role that tasks of this account may take, with exactly what it is for. Its output is the role's ARN.

    A role that the settings name is an administrator's: it must exist, and it is neither changed nor removed.
    """

    purpose: ClassVar[Purpose]

    app: str
    repository: str
    """The ECR repository of the app's image."""
    secrets: tuple[str, ...] = ()
    """ARNs, or names of SSM parameters, that the app is given."""
    kms_keys: tuple[str, ...] = ()
    """ARNs of the customer managed keys that encrypt them."""

    def key(self) -> Key:
        return Key(self.purpose, (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        if given := cloud.roles.given(self.purpose):
            _check_given_role(cloud, self.purpose, given)
            return Seen(given, ours=False)
        existing = find_role(cloud, role_name(cloud, self.key()))
        if existing is None:
            return None
        ours = is_owned(read_tags(existing.get("Tags", ())), self.app)
        return Seen(existing["Arn"], self._drift(cloud, existing), _moved(cloud, existing), ours)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        role = role_name(cloud, self.key())
        arn = seen.out if seen else self._create(cloud, role)
        if seen and cloud.roles.boundary:  # before the policy, which may be written only below the boundary
            cloud.iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=cloud.roles.boundary)
        statements = self.build_statements(cloud, stored=self._has_stored_secrets(cloud))
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

    def _has_stored_secrets(self, cloud: FargateCloud) -> bool:
        return self.purpose is Purpose.EXECUTION and bool(list_app_secrets(cloud, self.app))

    def build_statements(self, cloud: FargateCloud, *, stored: bool = False) -> list[Statement]:
        """What the role may do; nothing for the app's own. stored: the app has secrets in the store."""
        if self.purpose is Purpose.TASK:
            return []
        account = cloud.account
        return execution_statements(account.partition, account.region, account.id, self, stored=stored)

    def _create(self, cloud: FargateCloud, role: str) -> str:
        bounded: _Bounded = {"PermissionsBoundary": cloud.roles.boundary} if cloud.roles.boundary else {}
        with ignore_codes("EntityAlreadyExists"):
            created = cloud.iam.create_role(
                RoleName=role,
                Path=cloud.roles.path,
                AssumeRolePolicyDocument=json.dumps(trust_policy(cloud.account.id)),
                Description=f"{self.app} on Fargate: {self.purpose} role",
                Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
                **bounded,
            )
            return created["Role"]["Arn"]
        return cloud.iam.get_role(RoleName=role)["Role"]["Arn"]

    def _drift(self, cloud: FargateCloud, existing: RoleTypeDef) -> tuple[str, ...]:
        document: object = None
        with ignore_codes("NoSuchEntity"):
            response = cloud.iam.get_role_policy(RoleName=existing["RoleName"], PolicyName=POLICY)
            document = response["PolicyDocument"]
        statements = self.build_statements(cloud, stored=self._has_stored_secrets(cloud))
        matches = document == (policy_document(statements) if statements else None)
        return (*(() if matches else ("what it may do → what it needs",)), *_boundary_drift(cloud, existing))


class _Bounded(TypedDict, total=False):
    """The argument that sets a boundary."""

    PermissionsBoundary: str


def _boundary_drift(cloud: FargateCloud, existing: RoleTypeDef) -> tuple[str, ...]:
    """A boundary that the settings do not name stays: somebody who may limit the role has set it."""
    boundary = existing.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    desired = cloud.roles.boundary
    return (f"permissions boundary {boundary or 'none'} → {desired}",) if desired not in ("", boundary) else ()


def _moved(cloud: FargateCloud, existing: RoleTypeDef) -> tuple[str, ...]:
    """A role's path cannot be changed."""
    path = existing["Path"]
    return () if path == cloud.roles.path else (f"path {path} → {cloud.roles.path}",)


@translate_errors("iam")
@dataclass(frozen=True, eq=False)
class ExecutionRole(Role):
    """Lets Fargate start a task."""

    kind: ClassVar[str] = "execution-role"
    title: ClassVar[str] = "Create the execution role"
    purpose: ClassVar[Purpose] = Purpose.EXECUTION

    @classmethod
    def of(cls, app: str, repository: str, settings: FargateSettings) -> ExecutionRole:
        """With what the settings let it read."""
        return cls(app, repository, tuple(sorted(settings.secrets.values())), tuple(settings.secrets_kms_keys))


@translate_errors("iam")
@dataclass(frozen=True, eq=False)
class TaskRole(Role):
    """What the app itself may do in the account: nothing."""

    kind: ClassVar[str] = "task-role"
    title: ClassVar[str] = "Create the task role"
    purpose: ClassVar[Purpose] = Purpose.TASK


KINDS: Mapping[Purpose, str] = {step.purpose: step.kind for step in (ExecutionRole, TaskRole)}


def find_role(cloud: FargateCloud, name: str) -> RoleTypeDef | None:
    """The role of this name; None if there is none."""
    with ignore_codes("NoSuchEntity"):
        return cloud.iam.get_role(RoleName=name)["Role"]
    return None


def owned_role_exists(cloud: FargateCloud, key: Key) -> bool:
    """There is a role of this key, it is ours, and the settings do not give it to an administrator."""
    existing = find_role(cloud, role_name(cloud, key))
    if existing is None or existing["Arn"] == cloud.roles.given(Purpose(key.name)):
        return False
    return is_owned(read_tags(existing.get("Tags", ())), key.scope[0])


def _check_given_role(cloud: FargateCloud, purpose: Purpose, arn: str) -> None:
    """Raises ConfigError unless tasks of this account can take the administrator's role."""
    key = f"target.{TARGET}.{purpose}_role"
    existing = find_role(cloud, arn.rpartition("/")[2])
    todo = "`mldeploy policy --target fargate --with given-roles` prints how an administrator creates it."
    if existing is None or existing["Arn"] != arn:
        raise ConfigError(key, f"there is no role {arn} in the account {cloud.account.id}", todo)
    if SERVICE not in json.dumps(existing.get("AssumeRolePolicyDocument", {})):
        raise ConfigError(key, f"the role {arn} does not trust {SERVICE}, so that no task can take it", todo)


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
                "Principal": {"Service": SERVICE},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def execution_statements(
    partition: str, region: str, account: str, role: Role, *, stored: bool = False
) -> list[Statement]:
    """What Fargate needs in order to start a task, and nothing else. stored: as in `Role.build_statements`."""
    kept = {f"arn:{partition}:secretsmanager:{region}:{account}:secret:{secret_prefix(role.app)}*"} if stored else set()
    here = f"{region}:{account}"
    group = f"arn:{partition}:logs:{here}:log-group:{logs.log_group_name(role.app)}:*"
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    allowed = {
        ("ecr:GetAuthorizationToken",): ["*"],
        tuple(pull): [f"arn:{partition}:ecr:{here}:repository/{role.repository}"],
        ("logs:CreateLogStream", "logs:PutLogEvents"): [group],
        ("secretsmanager:GetSecretValue",): sorted(
            kept | {_secret_arn(each) for each in role.secrets if _is_secret(each)}
        ),
        ("ssm:GetParameters",): sorted(
            each if each.startswith("arn:") else f"arn:{partition}:ssm:{here}:parameter/{each.removeprefix('/')}"
            for each in role.secrets
            if not _is_secret(each)
        ),
        ("kms:Decrypt",): sorted(role.kms_keys),
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
