"""What each API call of the target needs: the registry's calls, and those for what runs."""

from __future__ import annotations

from types import MappingProxyType

from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate import balancer, iam, logs, targets, trial_route
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.permissions import NEEDS as REGISTRY
from mldeploy.providers.aws.permissions import (
    Grant,
    Needs,
    arn,
    call_grants,
    list_placeholders,
    render_policy,
    simple_grants,
)
from mldeploy.providers.aws.tags import APP_TAG

OURS = ("StringEquals", f"aws:ResourceTag/{APP_TAG}", "{app}")
CLUSTER = (arn("ecs", "cluster/{name}"),)
SERVICE = (arn("ecs", "service/{name}/{name}"),)
TASKS = (arn("ecs", "task/{name}/*"),)
REVISIONS = (arn("ecs", "task-definition/{name}:*"),)
LOG = (arn("logs", "log-group:{log_group}"), arn("logs", "log-group:{log_group}:*"))
ROLES = ("arn:{partition}:iam::{account}:role/{execution_role}", "arn:{partition}:iam::{account}:role/{task_role}")
GROUPS = (arn("ec2", "security-group/*"),)
BALANCER = (arn("elasticloadbalancing", "loadbalancer/app/{short}/*"),)
TARGETS = (arn("elasticloadbalancing", "targetgroup/{short}/*"),)
TRIAL_TARGETS = (arn("elasticloadbalancing", "targetgroup/{trial}/*"),)
LISTENERS = (arn("elasticloadbalancing", "listener/app/{short}/*"),)
RULES = (arn("elasticloadbalancing", "listener-rule/app/{short}/*"),)
SCALED = (arn("application-autoscaling", "scalable-target/*"),)


def _service_linked_role(service: str) -> Grant:
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
            _service_linked_role("ecs.amazonaws.com"),
        ),
        "ecs:CreateService": call_grants("ecs:CreateService", SERVICE, Grant(("ecs:TagResource",), SERVICE), PASS),
        "ecs:RegisterTaskDefinition": (
            Grant(("ecs:RegisterTaskDefinition",)),
            Grant(("ecs:TagResource",), REVISIONS),
            PASS,
        ),
        "ecs:UpdateService": call_grants("ecs:UpdateService", SERVICE, PASS),
        "ecs:TagResource": call_grants("ecs:TagResource", REVISIONS, Grant(("ecs:TagResource",), SERVICE)),
        "ecs:DeleteTaskDefinitions": call_grants("ecs:DeleteTaskDefinitions", REVISIONS),
        **dict(simple_grants(CLUSTER, "ecs:DeleteCluster", "ecs:DescribeClusters")),
        **dict(simple_grants(SERVICE, "ecs:DeleteService", "ecs:DescribeServices")),
        **dict(simple_grants(TASKS, "ecs:DescribeTasks")),
        **dict(simple_grants(TASKS, "ecs:StopTask")),
        "ecs:RunTask": call_grants("ecs:RunTask", REVISIONS, Grant(("ecs:TagResource",), TASKS), PASS),
        **dict(
            simple_grants(
                ("*",),
                "ecs:DeregisterTaskDefinition",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:ListTasks",
            )
        ),
        "iam:CreateRole": call_grants("iam:CreateRole", ROLES, Grant(("iam:TagRole",), ROLES)),
        **dict(
            simple_grants(
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
        "logs:CreateLogGroup": call_grants("logs:CreateLogGroup", LOG, Grant(("logs:TagResource",), LOG)),
        **dict(simple_grants((arn("logs", "log-group:*"),), "logs:DescribeLogGroups")),
        **dict(
            simple_grants(
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
            simple_grants(
                GROUPS,
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupIngress",
                condition=OURS,
            )
        ),
        **dict(
            simple_grants(
                ("*",),
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
            )
        ),
        "elasticloadbalancing:CreateLoadBalancer": call_grants(
            "elasticloadbalancing:CreateLoadBalancer",
            BALANCER,
            Grant(("elasticloadbalancing:AddTags",), BALANCER),
            _service_linked_role("elasticloadbalancing.amazonaws.com"),
        ),
        "elasticloadbalancing:CreateTargetGroup": call_grants(
            "elasticloadbalancing:CreateTargetGroup",
            (*TARGETS, *TRIAL_TARGETS),
            Grant(("elasticloadbalancing:AddTags",), (*TARGETS, *TRIAL_TARGETS)),
        ),
        "elasticloadbalancing:CreateRule": call_grants(
            "elasticloadbalancing:CreateRule", LISTENERS, Grant(("elasticloadbalancing:AddTags",), RULES)
        ),
        **dict(simple_grants(RULES, "elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule")),
        "elasticloadbalancing:CreateListener": call_grants(
            "elasticloadbalancing:CreateListener", BALANCER, Grant(("elasticloadbalancing:AddTags",), LISTENERS)
        ),
        **dict(
            simple_grants(
                BALANCER,
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            )
        ),
        **dict(
            simple_grants(
                (*TARGETS, *TRIAL_TARGETS),
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:DeregisterTargets",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RegisterTargets",
            )
        ),
        **dict(simple_grants(LISTENERS, "elasticloadbalancing:DeleteListener", "elasticloadbalancing:ModifyListener")),
        "application-autoscaling:RegisterScalableTarget": call_grants(
            "application-autoscaling:RegisterScalableTarget",
            SCALED,
            Grant(("application-autoscaling:TagResource",), SCALED),
            _service_linked_role("ecs.application-autoscaling.amazonaws.com"),
        ),
        "application-autoscaling:PutScalingPolicy": call_grants(
            "application-autoscaling:PutScalingPolicy", SCALED, ALARMS
        ),
        **dict(
            simple_grants(
                SCALED,
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
            )
        ),
    }
)
"""API call → what it needs, for all calls that the target makes. A test holds it against the calls themselves."""


def build_policy(cloud: FargateCloud) -> dict[str, object]:
    """The least-privilege policy for everything that mldeploy does to this app, in this account and region."""
    app = cloud.app
    named = {
        "app": app,
        "name": resource_name(app),
        "short": balancer.balancer_name(app),
        "trial": targets.target_group_name(app, trial_route.TRIAL),
        "log_group": logs.log_group_name(app),
        "execution_role": iam.role_name(cloud, Key(iam.Purpose.EXECUTION, (app,))),
        "task_role": iam.role_name(cloud, Key(iam.Purpose.TASK, (app,))),
    }
    return render_policy(NEEDS, {**list_placeholders(cloud), **named})
