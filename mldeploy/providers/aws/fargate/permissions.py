"""What each API call of the target needs: the least that IAM can be told to allow.

https://docs.aws.amazon.com/service-authorization/latest/reference/ names the actions, and the resources that each can
be limited to; what it lists none for stands with `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate import balancer, iam, logs
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import name
from mldeploy.providers.aws.tags import APP


@dataclass(frozen=True)
class Grant:
    """Allows some actions. resources: ARNs with {placeholders}. condition: operator, key, value, likewise."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: tuple[str, str, str] | None = None


def _arn(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


OURS = ("StringEquals", f"aws:ResourceTag/{APP}", "{app}")
CLUSTER = (_arn("ecs", "cluster/{name}"),)
SERVICE = (_arn("ecs", "service/{name}/{name}"),)
TASKS = (_arn("ecs", "task/{name}/*"),)
REVISIONS = (_arn("ecs", "task-definition/{name}:*"),)
LOG = (_arn("logs", "log-group:{log_group}"), _arn("logs", "log-group:{log_group}:*"))
REPOSITORY = (_arn("ecr", "repository/{repository}"),)
ROLES = ("arn:{partition}:iam::{account}:role/{execution_role}", "arn:{partition}:iam::{account}:role/{task_role}")
GROUPS = (_arn("ec2", "security-group/*"),)
BALANCER = (_arn("elasticloadbalancing", "loadbalancer/app/{short}/*"),)
TARGETS = (_arn("elasticloadbalancing", "targetgroup/{short}/*"),)
LISTENERS = (_arn("elasticloadbalancing", "listener/app/{short}/*"),)
SCALED = (_arn("application-autoscaling", "scalable-target/*"),)


def _linked(service: str) -> Grant:
    """The first use of a service in an account makes its service-linked role."""
    return Grant(("iam:CreateServiceLinkedRole",), condition=("StringEquals", "iam:AWSServiceName", service))


PASS = Grant(("iam:PassRole",), ROLES, ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com"))
PUSH = Grant(
    (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ),
    REPOSITORY,
)
"""What the registry itself asks for during a push, which is no call of the API."""
ALARMS = Grant(
    ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"),
    (_arn("cloudwatch", "alarm:TargetTracking-service/{name}/{name}-*"),),
)


def _own(action: str, resources: tuple[str, ...], *others: Grant) -> tuple[Grant, ...]:
    return (Grant((action,), resources), *others)


def _rows(
    resources: tuple[str, ...], *actions: str, condition: tuple[str, str, str] | None = None
) -> Iterable[tuple[str, tuple[Grant, ...]]]:
    return ((action, (Grant((action,), resources, condition),)) for action in actions)


NEEDS: Mapping[str, tuple[Grant, ...]] = MappingProxyType(
    {
        "sts:GetCallerIdentity": (),
        "ecr:GetAuthorizationToken": (Grant(("ecr:GetAuthorizationToken",)), PUSH),
        "ecr:CreateRepository": _own("ecr:CreateRepository", REPOSITORY, Grant(("ecr:TagResource",), REPOSITORY)),
        **dict(
            _rows(
                REPOSITORY,
                "ecr:DeleteRepository",
                "ecr:DescribeRepositories",
                "ecr:GetLifecyclePolicy",
                "ecr:ListTagsForResource",
                "ecr:PutImageScanningConfiguration",
                "ecr:PutImageTagMutability",
                "ecr:PutLifecyclePolicy",
            )
        ),
        "ecs:CreateCluster": (
            Grant(("ecs:CreateCluster",)),
            Grant(("ecs:TagResource",), CLUSTER),
            _linked("ecs.amazonaws.com"),
        ),
        "ecs:CreateService": _own("ecs:CreateService", SERVICE, Grant(("ecs:TagResource",), SERVICE), PASS),
        "ecs:RegisterTaskDefinition": (
            Grant(("ecs:RegisterTaskDefinition",)),
            Grant(("ecs:TagResource",), REVISIONS),
            PASS,
        ),
        "ecs:UpdateService": _own("ecs:UpdateService", SERVICE, PASS),
        "ecs:TagResource": _own("ecs:TagResource", REVISIONS),
        "ecs:DeleteTaskDefinitions": _own("ecs:DeleteTaskDefinitions", REVISIONS),
        **dict(_rows(CLUSTER, "ecs:DeleteCluster", "ecs:DescribeClusters")),
        **dict(_rows(SERVICE, "ecs:DeleteService", "ecs:DescribeServices")),
        **dict(_rows(TASKS, "ecs:DescribeTasks")),
        **dict(
            _rows(
                ("*",),
                "ecs:DeregisterTaskDefinition",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:ListTasks",
                "tag:GetResources",
            )
        ),
        "iam:CreateRole": _own("iam:CreateRole", ROLES, Grant(("iam:TagRole",), ROLES)),
        **dict(
            _rows(
                ROLES,
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:PutRolePolicy",
            )
        ),
        "logs:CreateLogGroup": _own("logs:CreateLogGroup", LOG, Grant(("logs:TagResource",), LOG)),
        **dict(_rows((_arn("logs", "log-group:*"),), "logs:DescribeLogGroups")),
        **dict(
            _rows(
                LOG,
                "logs:DeleteLogGroup",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:ListTagsForResource",
                "logs:PutRetentionPolicy",
            )
        ),
        "ec2:CreateSecurityGroup": (
            Grant(("ec2:CreateSecurityGroup",), (*GROUPS, _arn("ec2", "vpc/*"))),
            Grant(("ec2:CreateTags",), GROUPS, ("StringEquals", "ec2:CreateAction", "CreateSecurityGroup")),
        ),
        **dict(
            _rows(
                GROUPS,
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupIngress",
                condition=OURS,
            )
        ),
        **dict(
            _rows(
                ("*",),
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
            )
        ),
        "elasticloadbalancing:CreateLoadBalancer": _own(
            "elasticloadbalancing:CreateLoadBalancer",
            BALANCER,
            Grant(("elasticloadbalancing:AddTags",), BALANCER),
            _linked("elasticloadbalancing.amazonaws.com"),
        ),
        "elasticloadbalancing:CreateTargetGroup": _own(
            "elasticloadbalancing:CreateTargetGroup", TARGETS, Grant(("elasticloadbalancing:AddTags",), TARGETS)
        ),
        "elasticloadbalancing:CreateListener": _own(
            "elasticloadbalancing:CreateListener", BALANCER, Grant(("elasticloadbalancing:AddTags",), LISTENERS)
        ),
        **dict(
            _rows(
                BALANCER,
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            )
        ),
        **dict(
            _rows(
                TARGETS,
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
            )
        ),
        **dict(_rows(LISTENERS, "elasticloadbalancing:DeleteListener", "elasticloadbalancing:ModifyListener")),
        "application-autoscaling:RegisterScalableTarget": _own(
            "application-autoscaling:RegisterScalableTarget",
            SCALED,
            Grant(("application-autoscaling:TagResource",), SCALED),
            _linked("ecs.application-autoscaling.amazonaws.com"),
        ),
        "application-autoscaling:PutScalingPolicy": _own("application-autoscaling:PutScalingPolicy", SCALED, ALARMS),
        **dict(
            _rows(
                SCALED,
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
            )
        ),
    }
)
"""API call → what it needs, for all calls that the target makes. A test holds it against the calls themselves."""


def policy(cloud: FargateCloud) -> dict[str, object]:
    """The least-privilege policy for everything that mldeploy does to this app, in this account and region."""
    statements: dict[tuple[tuple[str, ...], tuple[str, str, str] | None], set[str]] = {}
    for grant in (grant for grants in NEEDS.values() for grant in grants):
        statements.setdefault((grant.resources, grant.condition), set()).update(grant.actions)
    words = _words(cloud)
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement(actions, resources, condition, words) for (resources, condition), actions in statements.items()
        ],
    }


def _statement(
    actions: set[str], resources: tuple[str, ...], condition: tuple[str, str, str] | None, words: Mapping[str, str]
) -> dict[str, object]:
    filled = [each.format_map(words) for each in resources]
    made: dict[str, object] = {
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": filled[0] if len(filled) == 1 else filled,
    }
    if condition:
        operator, key, value = condition
        made["Condition"] = {operator: {key: value.format_map(words)}}
    return made


def _words(cloud: FargateCloud) -> dict[str, str]:
    account, app = cloud.account, cloud.app
    return {
        "partition": account.partition,
        "region": account.region,
        "account": account.id,
        "app": app,
        "name": name(app),
        "short": balancer.name_of(app),
        "repository": cloud.repository,
        "log_group": logs.name_of(app),
        "execution_role": iam.name_of(cloud, Key(iam.Purpose.EXECUTION, (app,))),
        "task_role": iam.name_of(cloud, Key(iam.Purpose.TASK, (app,))),
    }
