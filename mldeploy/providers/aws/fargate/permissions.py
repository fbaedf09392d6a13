"""What each API call of the target needs: the registry's calls, and those for what runs."""

from __future__ import annotations

from types import MappingProxyType

from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate import balancer, iam, logs
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import name
from mldeploy.providers.aws.permissions import NEEDS as REGISTRY
from mldeploy.providers.aws.permissions import Grant, Needs, arn, document, own, rows, words
from mldeploy.providers.aws.tags import APP

OURS = ("StringEquals", f"aws:ResourceTag/{APP}", "{app}")
CLUSTER = (arn("ecs", "cluster/{name}"),)
SERVICE = (arn("ecs", "service/{name}/{name}"),)
TASKS = (arn("ecs", "task/{name}/*"),)
REVISIONS = (arn("ecs", "task-definition/{name}:*"),)
LOG = (arn("logs", "log-group:{log_group}"), arn("logs", "log-group:{log_group}:*"))
ROLES = ("arn:{partition}:iam::{account}:role/{execution_role}", "arn:{partition}:iam::{account}:role/{task_role}")
GROUPS = (arn("ec2", "security-group/*"),)
BALANCER = (arn("elasticloadbalancing", "loadbalancer/app/{short}/*"),)
TARGETS = (arn("elasticloadbalancing", "targetgroup/{short}/*"),)
LISTENERS = (arn("elasticloadbalancing", "listener/app/{short}/*"),)
SCALED = (arn("application-autoscaling", "scalable-target/*"),)


def _linked(service: str) -> Grant:
    """The first use of a service in an account makes its service-linked role."""
    return Grant(("iam:CreateServiceLinkedRole",), condition=("StringEquals", "iam:AWSServiceName", service))


PASS = Grant(("iam:PassRole",), ROLES, ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com"))
ALARMS = Grant(
    ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"),
    (arn("cloudwatch", "alarm:TargetTracking-service/{name}/{name}-*"),),
)


NEEDS: Needs = MappingProxyType(
    {
        **REGISTRY,
        "ecs:CreateCluster": (
            Grant(("ecs:CreateCluster",)),
            Grant(("ecs:TagResource",), CLUSTER),
            _linked("ecs.amazonaws.com"),
        ),
        "ecs:CreateService": own("ecs:CreateService", SERVICE, Grant(("ecs:TagResource",), SERVICE), PASS),
        "ecs:RegisterTaskDefinition": (
            Grant(("ecs:RegisterTaskDefinition",)),
            Grant(("ecs:TagResource",), REVISIONS),
            PASS,
        ),
        "ecs:UpdateService": own("ecs:UpdateService", SERVICE, PASS),
        "ecs:TagResource": own("ecs:TagResource", REVISIONS),
        "ecs:DeleteTaskDefinitions": own("ecs:DeleteTaskDefinitions", REVISIONS),
        **dict(rows(CLUSTER, "ecs:DeleteCluster", "ecs:DescribeClusters")),
        **dict(rows(SERVICE, "ecs:DeleteService", "ecs:DescribeServices")),
        **dict(rows(TASKS, "ecs:DescribeTasks")),
        **dict(
            rows(
                ("*",),
                "ecs:DeregisterTaskDefinition",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:ListTasks",
            )
        ),
        "iam:CreateRole": own("iam:CreateRole", ROLES, Grant(("iam:TagRole",), ROLES)),
        **dict(
            rows(
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
        "logs:CreateLogGroup": own("logs:CreateLogGroup", LOG, Grant(("logs:TagResource",), LOG)),
        **dict(rows((arn("logs", "log-group:*"),), "logs:DescribeLogGroups")),
        **dict(
            rows(
                LOG,
                "logs:DeleteLogGroup",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:ListTagsForResource",
                "logs:PutRetentionPolicy",
            )
        ),
        "ec2:CreateSecurityGroup": (
            Grant(("ec2:CreateSecurityGroup",), (*GROUPS, arn("ec2", "vpc/*"))),
            Grant(("ec2:CreateTags",), GROUPS, ("StringEquals", "ec2:CreateAction", "CreateSecurityGroup")),
        ),
        **dict(
            rows(
                GROUPS,
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupIngress",
                condition=OURS,
            )
        ),
        **dict(
            rows(
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
        "elasticloadbalancing:CreateLoadBalancer": own(
            "elasticloadbalancing:CreateLoadBalancer",
            BALANCER,
            Grant(("elasticloadbalancing:AddTags",), BALANCER),
            _linked("elasticloadbalancing.amazonaws.com"),
        ),
        "elasticloadbalancing:CreateTargetGroup": own(
            "elasticloadbalancing:CreateTargetGroup", TARGETS, Grant(("elasticloadbalancing:AddTags",), TARGETS)
        ),
        "elasticloadbalancing:CreateListener": own(
            "elasticloadbalancing:CreateListener", BALANCER, Grant(("elasticloadbalancing:AddTags",), LISTENERS)
        ),
        **dict(
            rows(
                BALANCER,
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            )
        ),
        **dict(
            rows(
                TARGETS,
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
            )
        ),
        **dict(rows(LISTENERS, "elasticloadbalancing:DeleteListener", "elasticloadbalancing:ModifyListener")),
        "application-autoscaling:RegisterScalableTarget": own(
            "application-autoscaling:RegisterScalableTarget",
            SCALED,
            Grant(("application-autoscaling:TagResource",), SCALED),
            _linked("ecs.application-autoscaling.amazonaws.com"),
        ),
        "application-autoscaling:PutScalingPolicy": own("application-autoscaling:PutScalingPolicy", SCALED, ALARMS),
        **dict(
            rows(
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
    app = cloud.app
    named = {
        "app": app,
        "name": name(app),
        "short": balancer.name_of(app),
        "log_group": logs.name_of(app),
        "execution_role": iam.name_of(cloud, Key(iam.Purpose.EXECUTION, (app,))),
        "task_role": iam.name_of(cloud, Key(iam.Purpose.TASK, (app,))),
    }
    return document(NEEDS, {**words(cloud), **named})
