"""What each API call of the target needs: the registry's calls, and those for what runs."""

from __future__ import annotations

from types import MappingProxyType

from mldeploy.core.step import Key
from mldeploy.providers.aws.fargate import balancer, header_rule, iam, logs, targets
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.iam import SERVICE as SERVICE_PRINCIPAL
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.aws.fargate.task_roles import Purpose, TaskRoles
from mldeploy.providers.aws.fargate.tasks import service_name
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
CANARY_SERVICE = (arn("ecs", "service/{name}/{canary_service}"),)
TASKS = (arn("ecs", "task/{name}/*"),)
REVISIONS = (arn("ecs", "task-definition/{name}:*"),)
LOG = (arn("logs", "log-group:{log_group}"), arn("logs", "log-group:{log_group}:*"))
GROUPS = (arn("ec2", "security-group/*"),)
BALANCER = (arn("elasticloadbalancing", "loadbalancer/app/{short}/*"),)
TARGETS = (arn("elasticloadbalancing", "targetgroup/{short}/*"),)
TRIAL_TARGETS = (arn("elasticloadbalancing", "targetgroup/{trial}/*"),)
CANARY_TARGETS = (arn("elasticloadbalancing", "targetgroup/{canary}/*"),)
GROUPS_OF_TARGETS = (*TARGETS, *TRIAL_TARGETS, *CANARY_TARGETS)
LISTENERS = (arn("elasticloadbalancing", "listener/app/{short}/*"),)
RULES = (arn("elasticloadbalancing", "listener-rule/app/{short}/*"),)
SECRETS = (arn("secretsmanager", "secret:mldeploy/{app}/*"),)
CERTIFICATES = (arn("acm", "certificate/*"),)
ZONES = ("arn:{partition}:route53:::hostedzone/*",)
OWN_RECORDS = (
    "ForAllValues:StringLike",
    "route53:ChangeResourceRecordSetsNormalizedRecordNames",
    "{domain}",
    "_*.{domain}",
)
"""The domain itself, and the record by which ACM validates it.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
"""
SCALED = (arn("application-autoscaling", "scalable-target/*"),)


def _service_linked_role(service: str) -> Grant:
    """The first use of a service in an account makes its service-linked role."""
    return Grant(("iam:CreateServiceLinkedRole",), condition=("StringEquals", "iam:AWSServiceName", service))


ALARMS = Grant(
    ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"),
    (arn("cloudwatch", "alarm:TargetTracking-service/{name}/{name}-*"),),
)
NETWORK = Grant(("ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways"))
"""What creating a load balancer and a target group needs besides, and nothing here calls.

https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html
"""


SERVICE_CALLS: Needs = MappingProxyType(
    {
        **REGISTRY,
        "ecs:CreateCluster": (
            Grant(("ecs:CreateCluster",)),
            Grant(("ecs:TagResource",), CLUSTER),
            _service_linked_role("ecs.amazonaws.com"),
        ),
        "ecs:CreateService": call_grants("ecs:CreateService", SERVICE, Grant(("ecs:TagResource",), SERVICE)),
        "ecs:RegisterTaskDefinition": (
            Grant(("ecs:RegisterTaskDefinition",)),
            Grant(("ecs:TagResource",), REVISIONS),
        ),
        "ecs:UpdateService": call_grants("ecs:UpdateService", SERVICE),
        "ecs:TagResource": call_grants("ecs:TagResource", REVISIONS, Grant(("ecs:TagResource",), SERVICE)),
        "ecs:DeleteTaskDefinitions": call_grants("ecs:DeleteTaskDefinitions", REVISIONS),
        **dict(simple_grants(CLUSTER, "ecs:DeleteCluster", "ecs:DescribeClusters")),
        **dict(simple_grants(SERVICE, "ecs:DeleteService", "ecs:DescribeServices")),
        **dict(simple_grants(TASKS, "ecs:DescribeTasks")),
        **dict(simple_grants(TASKS, "ecs:StopTask")),
        "ecs:RunTask": call_grants("ecs:RunTask", REVISIONS, Grant(("ecs:TagResource",), TASKS)),
        **dict(
            simple_grants(
                ("*",),
                "ecs:DeregisterTaskDefinition",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:ListTasks",
            )
        ),
        **dict(simple_grants(SECRETS, "secretsmanager:DescribeSecret")),
        "logs:CreateLogGroup": call_grants("logs:CreateLogGroup", LOG, Grant(("logs:TagResource",), LOG)),
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
                "logs:DescribeLogGroups",
                "secretsmanager:ListSecrets",
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
    }
)
"""Every deployment: the registry, the service, its log and its network. `destroy` looks for the rest as well."""

LOAD_BALANCER_CALLS: Needs = MappingProxyType(
    {
        "elasticloadbalancing:CreateLoadBalancer": call_grants(
            "elasticloadbalancing:CreateLoadBalancer",
            BALANCER,
            Grant(("elasticloadbalancing:AddTags",), BALANCER),
            NETWORK,
            _service_linked_role("elasticloadbalancing.amazonaws.com"),
        ),
        "elasticloadbalancing:CreateTargetGroup": call_grants(
            "elasticloadbalancing:CreateTargetGroup",
            GROUPS_OF_TARGETS,
            Grant(("elasticloadbalancing:AddTags",), GROUPS_OF_TARGETS),
            NETWORK,
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
                GROUPS_OF_TARGETS,
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:DeregisterTargets",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
            )
        ),
        "elasticloadbalancing:RegisterTargets": call_grants(
            "elasticloadbalancing:RegisterTargets",
            GROUPS_OF_TARGETS,
            NETWORK,
            Grant(("ec2:DescribeInstances",)),
        ),
        **dict(simple_grants(LISTENERS, "elasticloadbalancing:DeleteListener", "elasticloadbalancing:ModifyListener")),
        **dict(simple_grants(CANARY_TARGETS, "elasticloadbalancing:AddTags")),
        "ecs:CreateService": call_grants(
            "ecs:CreateService", CANARY_SERVICE, Grant(("ecs:TagResource",), CANARY_SERVICE)
        ),
        **dict(simple_grants(CANARY_SERVICE, "ecs:DeleteService", "ecs:DescribeServices", "ecs:UpdateService")),
        **dict(simple_grants(REVISIONS, "ecs:UntagResource")),
    }
)
"""With `ingress = "load-balancer"`, also for a canary, which is a second service."""

AUTOSCALING_CALLS: Needs = MappingProxyType(
    {
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
"""With `max`."""


SECRET_CALLS: Needs = MappingProxyType(
    {
        "secretsmanager:CreateSecret": call_grants(
            "secretsmanager:CreateSecret", SECRETS, Grant(("secretsmanager:TagResource",), SECRETS)
        ),
        **dict(
            simple_grants(
                SECRETS,
                "secretsmanager:DeleteSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:RestoreSecret",
            )
        ),
    }
)
"""For `mldeploy secrets` and `mldeploy keys`."""


DOMAIN_CALLS: Needs = MappingProxyType(
    {
        "acm:RequestCertificate": (
            Grant(("acm:RequestCertificate",), condition=("ForAllValues:StringEquals", "acm:DomainNames", "{domain}")),
            Grant(("acm:AddTagsToCertificate",), CERTIFICATES),
        ),
        **dict(
            simple_grants(
                CERTIFICATES,
                "acm:AddTagsToCertificate",
                "acm:DeleteCertificate",
                "acm:DescribeCertificate",
                "acm:ListTagsForCertificate",
            )
        ),
        **dict(simple_grants(("*",), "acm:ListCertificates", "route53:ListHostedZonesByName")),
        **dict(simple_grants(ZONES, "route53:ListResourceRecordSets")),
        **dict(simple_grants(ZONES, "route53:ChangeResourceRecordSets", condition=OWN_RECORDS)),
    }
)
"""With `domain` and without `certificate`."""


def _role_arn(purpose: Purpose, path: str = "{role_path}") -> str:
    return f"arn:{{partition}}:iam::{{account}}:role{path}{{{purpose}_role}}"


def role_calls(roles: TaskRoles) -> Needs:
    """What the roles of a task need. A role that is given is passed and read, and nothing else.

    A boundary bounds whoever creates roles: without the condition, `iam:PutRolePolicy` and `iam:PassRole` together are
    the rights of an administrator. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    passed = tuple(roles.given(purpose) or _role_arn(purpose) for purpose in Purpose)
    # IAM takes a role that does not exist (yet) for one without a path.
    read = tuple(dict.fromkeys((*passed, *(_role_arn(purpose, "/") for purpose in Purpose))))
    created = tuple(_role_arn(purpose) for purpose in roles.created)
    pass_role = Grant(("iam:PassRole",), passed, ("StringEquals", "iam:PassedToService", SERVICE_PRINCIPAL))
    calls = {
        "ecs:RegisterTaskDefinition": (pass_role,),
        **dict(simple_grants(read if roles.path != "/" or len(created) < len(passed) else created, "iam:GetRole")),
    }
    if not created:
        return calls
    bounded = ("StringEquals", "iam:PermissionsBoundary", roles.boundary) if roles.boundary else None
    limited = ("iam:PutRolePolicy", *(("iam:PutRolePermissionsBoundary",) if roles.boundary else ()))
    return {
        **calls,
        "iam:CreateRole": (Grant(("iam:CreateRole",), created, bounded), Grant(("iam:TagRole",), created)),
        **dict(simple_grants(created, *limited, condition=bounded)),
        **dict(
            simple_grants(
                created,
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            )
        ),
    }


def _merge(*tables: Needs) -> Needs:
    calls = {call: () for table in tables for call in table}
    return MappingProxyType({call: tuple(g for table in tables for g in table.get(call, ())) for call in calls})


NEEDS = _merge(
    SERVICE_CALLS,
    role_calls(TaskRoles(boundary="{boundary}")),
    LOAD_BALANCER_CALLS,
    DOMAIN_CALLS,
    AUTOSCALING_CALLS,
    SECRET_CALLS,
)
"""API call → what it needs, for all calls that the target makes. A test holds it against the calls themselves."""


def build_policy(cloud: FargateCloud) -> dict[str, object]:
    """All that mldeploy may do to this app, in this account and region, whatever the settings say, in one document.

    It may be too long for IAM: `build_policy_set` has the documents that an administrator attaches.
    """
    tables = (SERVICE_CALLS, role_calls(cloud.roles), LOAD_BALANCER_CALLS, AUTOSCALING_CALLS, SECRET_CALLS)
    return render_calls(cloud, *tables, *((DOMAIN_CALLS,) if cloud.domain else ()))


def render_calls(cloud: FargateCloud, *tables: Needs) -> dict[str, object]:
    """The policy for all these calls."""
    app = cloud.app
    named = {
        "app": app,
        "domain": cloud.domain,
        "name": resource_name(app),
        "short": balancer.balancer_name(app),
        "trial": targets.target_group_name(app, header_rule.TRIAL),
        "canary": targets.target_group_name(app, header_rule.CANARY),
        "canary_service": service_name(app, header_rule.CANARY),
        "log_group": logs.log_group_name(app),
        "role_path": cloud.roles.path,
        **{f"{purpose}_role": iam.role_name(cloud, Key(purpose, (app,))) for purpose in Purpose},
    }
    return render_policy(tables, {**list_placeholders(cloud), **named})
