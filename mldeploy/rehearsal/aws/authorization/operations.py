"""Which permissions each operation needs, and on which resources.

https://docs.aws.amazon.com/service-authorization/latest/reference/ has the actions and their resource types. An
operation that is not listed here needs the action of its own name on `*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.iam.models import Role, iam_backends

from mldeploy.rehearsal.aws.authorization.policy import Permission

BOUNDARY = "iam:PermissionsBoundary"


@dataclass(frozen=True)
class AuthorizedCall:
    """A call to be authorized. parameters: of the JSON or the query."""

    action: str
    region: str
    parameters: Mapping[str, object]

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

    def has(self, name: str) -> bool:
        """Whether a parameter is given; in a query, a list is `Tags.member.1.Key`."""
        return bool(self.parameters.get(name)) or any(key.startswith(f"{name}.") for key in self.parameters)

    def texts(self, name: str) -> tuple[str, ...]:
        """A parameter's values; none if it is not given."""
        value = self.parameters.get(name)
        return tuple(map(str, value)) if isinstance(value, list) else (str(value),) if value else ()

    def text(self, name: str, default: str = "") -> str:
        return next(iter(self.texts(name)), default)

    def arn(self, resource: str, service: str = "") -> str:
        """The ARN of a resource, or the resource itself if it is one."""
        if resource.startswith("arn:"):
            return resource
        return f"arn:aws:{service or self.service}:{self.region}:{ACCOUNT}:{resource}"


def _condition_keys(call: AuthorizedCall, resource: str) -> Mapping[str, str]:
    """The condition keys of the call. Several values of one key are on lines of their own."""
    if call.service == "iam":
        return _iam_context(call)
    if call.service == "acm":
        return _acm_context(call)
    if call.action == "route53:ChangeResourceRecordSets":
        keys = {"NormalizedRecordNames": "Names", "RecordTypes": "Types", "Actions": "Actions"}
        return {f"{call.action}{key}": "\n".join(call.texts(name)) for key, name in keys.items()}
    return _ec2_context(call, resource)


def list_permissions(call: AuthorizedCall) -> Iterator[Permission]:
    """Yield all that the call needs; nothing for what everybody may do."""
    if call.action == "sts:GetCallerIdentity":
        return
    for resource in RESOURCES.get(call.action, _anything)(call):
        yield Permission(call.action, resource, _condition_keys(call, resource))
    yield from DEPENDENT.get(call.action, _nothing)(call)


Resources = Callable[[AuthorizedCall], Iterator[str]]
Dependents = Callable[[AuthorizedCall], Iterator[Permission]]


def _anything(_: AuthorizedCall) -> Iterator[str]:
    yield "*"


def _nothing(_: AuthorizedCall) -> Iterator[Permission]:
    yield from ()


def _named(parameter: str, kind: str = "", suffix: str = "") -> Resources:
    """Resources that a parameter names, or whose ARNs it has."""

    def resources(call: AuthorizedCall) -> Iterator[str]:
        for each in call.texts(parameter) or ("*",):
            yield call.arn(each if each.startswith("arn:") else f"{kind}{each}{suffix}")

    return resources


def _in_cluster(parameter: str, kind: str) -> Resources:
    """Services and tasks, whose ARNs have the name of the cluster."""

    def resources(call: AuthorizedCall) -> Iterator[str]:
        cluster = call.text("cluster", "default").rpartition("/")[2]
        for each in call.texts(parameter):
            yield call.arn(each if each.startswith("arn:") else f"{kind}/{cluster}/{each}")

    return resources


def _find_role(name: str) -> Role | None:
    return next((each for each in iam_backends[ACCOUNT]["aws"].roles.values() if each.name == name), None)


def _role(call: AuthorizedCall) -> Iterator[str]:
    """A role that does not exist is taken for one without a path."""
    role = _find_role(call.text("RoleName"))
    yield role.arn if role else f"arn:aws:iam::{ACCOUNT}:role/{call.text('RoleName')}"


def _new_role(call: AuthorizedCall) -> Iterator[str]:
    yield f"arn:aws:iam::{ACCOUNT}:role{call.text('Path', '/')}{call.text('RoleName')}"


def _new_group(call: AuthorizedCall) -> Iterator[str]:
    yield call.arn("security-group/*")
    yield call.arn(f"vpc/{call.text('VpcId')}")


def _zone(call: AuthorizedCall) -> Iterator[str]:
    yield f"arn:aws:route53:::hostedzone/{call.text('HostedZoneId')}"


def _log_stream(call: AuthorizedCall) -> Iterator[str]:
    yield call.arn(f"log-group:{call.text('logGroupName')}:log-stream:{call.text('logStreamName')}")


RESOURCES: Mapping[str, Resources] = {
    **dict.fromkeys(
        (
            "ecr:CreateRepository",
            "ecr:DeleteRepository",
            "ecr:GetLifecyclePolicy",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
        ),
        _named("repositoryName", "repository/"),
    ),
    "ecr:DescribeRepositories": _named("repositoryNames", "repository/"),
    "ecr:ListTagsForResource": _named("resourceArn"),
    "ecs:CreateCluster": _named("clusterName", "cluster/"),
    "ecs:DeleteCluster": _named("cluster", "cluster/"),
    "ecs:DescribeClusters": _named("clusters", "cluster/"),
    "ecs:CreateService": _in_cluster("serviceName", "service"),
    "ecs:DeleteService": _in_cluster("service", "service"),
    "ecs:UpdateService": _in_cluster("service", "service"),
    "ecs:DescribeServices": _in_cluster("services", "service"),
    "ecs:DescribeTasks": _in_cluster("tasks", "task"),
    "ecs:RegisterTaskDefinition": _named("family", "task-definition/", ":*"),
    "ecs:DeleteTaskDefinitions": _named("taskDefinitions", "task-definition/"),
    "ecs:RunTask": _named("taskDefinition", "task-definition/"),
    "ecs:StopTask": _in_cluster("task", "task"),
    "ecs:TagResource": _named("resourceArn"),
    "ecs:UntagResource": _named("resourceArn"),
    "secretsmanager:CreateSecret": _named("Name", "secret:", "-a1B2c3"),
    **dict.fromkeys(
        (
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:RestoreSecret",
        ),
        _named("SecretId", "secret:", "-a1B2c3"),
    ),
    **dict.fromkeys(
        (
            "acm:AddTagsToCertificate",
            "acm:DeleteCertificate",
            "acm:DescribeCertificate",
            "acm:ListTagsForCertificate",
        ),
        _named("CertificateArn"),
    ),
    **dict.fromkeys(("route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"), _zone),
    "iam:CreateRole": _new_role,
    **dict.fromkeys(
        (
            "iam:AttachRolePolicy",
            "iam:DeleteRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UpdateAssumeRolePolicy",
        ),
        _role,
    ),
    **dict.fromkeys(
        ("logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:FilterLogEvents", "logs:PutRetentionPolicy"),
        _named("logGroupName", "log-group:", ":log-stream:"),
    ),
    "logs:GetLogEvents": _log_stream,
    "logs:ListTagsForResource": _named("resourceArn"),
    "ec2:CreateSecurityGroup": _new_group,
    **dict.fromkeys(
        ("ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"),
        _named("GroupId", "security-group/"),
    ),
    "elasticloadbalancing:CreateLoadBalancer": _named("Name", "loadbalancer/app/", "/*"),
    "elasticloadbalancing:CreateTargetGroup": _named("Name", "targetgroup/", "/*"),
    "elasticloadbalancing:AddTags": _named("ResourceArns.member.1"),
    **dict.fromkeys(
        (
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:DeleteLoadBalancer",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
        ),
        _named("LoadBalancerArn"),
    ),
    **dict.fromkeys(
        (
            "elasticloadbalancing:DeleteTargetGroup",
            "elasticloadbalancing:DeregisterTargets",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:RegisterTargets",
        ),
        _named("TargetGroupArn"),
    ),
    **dict.fromkeys(
        (
            "elasticloadbalancing:CreateRule",
            "elasticloadbalancing:DeleteListener",
            "elasticloadbalancing:ModifyListener",
        ),
        _named("ListenerArn"),
    ),
    **dict.fromkeys(("elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule"), _named("RuleArn")),
    **dict.fromkeys(
        (
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        ),
        lambda call: iter((call.arn("scalable-target/0a1b2c3d4e5f"),)),
    ),
}


def _iam_context(call: AuthorizedCall) -> Mapping[str, str]:
    """The boundary in the call, or the role's: IAM, "iam:PermissionsBoundary"."""
    if call.action in ("iam:CreateRole", "iam:PutRolePermissionsBoundary"):
        boundary = call.text("PermissionsBoundary")
    else:
        role = _find_role(call.text("RoleName"))
        boundary = (role.permissions_boundary_arn if role else "") or ""
    return {BOUNDARY: boundary} if boundary else {}


def _acm_context(call: AuthorizedCall) -> Mapping[str, str]:
    """ACM has no condition key for the tags of a certificate."""
    if call.action != "acm:RequestCertificate":
        return {}
    return {"acm:DomainNames": call.text("DomainName"), "acm:ValidationMethod": call.text("ValidationMethod")}


def _ec2_context(call: AuthorizedCall, resource: str) -> Mapping[str, str]:
    identity = resource.rpartition(":security-group/")[2]
    if call.service != "ec2" or not identity.startswith("sg-"):
        return {}
    group = ec2_backends[ACCOUNT][call.region].get_security_group_from_id(identity)
    return {f"aws:ResourceTag/{tag['key']}": tag["value"] for tag in group.get_tags()} if group else {}


def _tagged(action: str, parameter: str, resources: Resources, **context: str) -> Dependents:
    """Tags in a call that creates a resource need the permission to tag it."""

    def dependents(call: AuthorizedCall) -> Iterator[Permission]:
        if call.has(parameter):
            created = {f"{call.service}:{name}": value for name, value in context.items()}
            yield from (Permission(action, resource, created) for resource in resources(call))

    return dependents


def _service_linked_role(service: str) -> Dependents:
    """The first use of a service in an account needs it. The stand-in's account is taken for a fresh one."""
    resource = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/*"
    return lambda _: iter((Permission("iam:CreateServiceLinkedRole", resource, {"iam:AWSServiceName": service}),))


def _everywhere(*actions: str) -> Dependents:
    return lambda _: iter([Permission(action) for action in actions])


def _all(*parts: Dependents) -> Dependents:
    return lambda call: (permission for part in parts for permission in part(call))


def _passed_roles(call: AuthorizedCall) -> Iterator[Permission]:
    for parameter in ("executionRoleArn", "taskRoleArn"):
        for role in call.texts(parameter):
            yield Permission("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})


def _roles_of_revision(call: AuthorizedCall) -> Iterator[Permission]:
    """The roles of the task definition that a task is run from, or those that the call has in their place."""
    name = call.text("taskDefinition").rpartition("/")[2]
    definition = ecs_backends[ACCOUNT][call.region].describe_task_definition(name)
    roles = (getattr(definition, name, "") for name in ("execution_role_arn", "task_role_arn"))  # absent if not given
    for role in filter(None, roles):
        yield Permission("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})


def _new_task(call: AuthorizedCall) -> Iterator[str]:
    yield call.arn(f"task/{call.text('cluster', 'default').rpartition('/')[2]}/*")


def _alarms(*actions: str) -> Dependents:
    """Application Auto Scaling manages the alarms of target tracking with the caller's permissions.

    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
    """

    def dependents(call: AuthorizedCall) -> Iterator[Permission]:
        alarm = call.arn(f"alarm:TargetTracking-{call.text('ResourceId')}-AlarmHigh-0a1b2c3d", "cloudwatch")
        yield from (Permission(f"cloudwatch:{action}", alarm) for action in actions)

    return dependents


_NETWORK = ("ec2:DescribeInternetGateways", "ec2:DescribeVpcs")
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html"""

DEPENDENT: Mapping[str, Dependents] = {
    "ecr:CreateRepository": _tagged("ecr:TagResource", "tags", _named("repositoryName", "repository/")),
    "ecs:CreateCluster": _all(
        _tagged("ecs:TagResource", "tags", _named("clusterName", "cluster/"), CreateAction="CreateCluster"),
        _service_linked_role("ecs.amazonaws.com"),
    ),
    "ecs:CreateService": _tagged(
        "ecs:TagResource", "tags", _in_cluster("serviceName", "service"), CreateAction="CreateService"
    ),
    "ecs:RegisterTaskDefinition": _all(
        _tagged(
            "ecs:TagResource",
            "tags",
            _named("family", "task-definition/", ":*"),
            CreateAction="RegisterTaskDefinition",
        ),
        _passed_roles,
    ),
    "ecs:RunTask": _all(_tagged("ecs:TagResource", "tags", _new_task, CreateAction="RunTask"), _roles_of_revision),
    "secretsmanager:CreateSecret": _tagged("secretsmanager:TagResource", "Tags", _named("Name", "secret:", "-a1B2c3")),
    "iam:CreateRole": _tagged("iam:TagRole", "Tags", _new_role),
    "acm:RequestCertificate": _tagged(
        "acm:AddTagsToCertificate", "Tags", lambda call: iter((call.arn("certificate/0a1b2c3d"),))
    ),
    "logs:CreateLogGroup": _tagged("logs:TagResource", "tags", _named("logGroupName", "log-group:")),
    "ec2:CreateSecurityGroup": _tagged(
        "ec2:CreateTags",
        "TagSpecification",
        lambda call: iter((call.arn("security-group/*"),)),
        CreateAction="CreateSecurityGroup",
    ),
    "elasticloadbalancing:CreateLoadBalancer": _all(
        _tagged(
            "elasticloadbalancing:AddTags",
            "Tags",
            _named("Name", "loadbalancer/app/", "/*"),
            CreateAction="CreateLoadBalancer",
        ),
        _everywhere(
            *_NETWORK,
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
        ),
        _service_linked_role("elasticloadbalancing.amazonaws.com"),
    ),
    "elasticloadbalancing:CreateTargetGroup": _all(
        _tagged(
            "elasticloadbalancing:AddTags",
            "Tags",
            _named("Name", "targetgroup/", "/*"),
            CreateAction="CreateTargetGroup",
        ),
        _everywhere(*_NETWORK),
    ),
    "elasticloadbalancing:CreateListener": _tagged(
        "elasticloadbalancing:AddTags",
        "Tags",
        lambda call: iter((call.text("LoadBalancerArn").replace(":loadbalancer/", ":listener/") + "/*",)),
        CreateAction="CreateListener",
    ),
    "elasticloadbalancing:CreateRule": _tagged(
        "elasticloadbalancing:AddTags",
        "Tags",
        lambda call: iter((call.text("ListenerArn").replace(":listener/", ":listener-rule/") + "/*",)),
        CreateAction="CreateRule",
    ),
    "elasticloadbalancing:RegisterTargets": _everywhere(*_NETWORK, "ec2:DescribeInstances", "ec2:DescribeSubnets"),
    "elasticloadbalancing:SetSubnets": _everywhere("ec2:DescribeSubnets"),
    "application-autoscaling:RegisterScalableTarget": _all(
        _tagged(
            "application-autoscaling:TagResource",
            "Tags",
            lambda call: iter((call.arn("scalable-target/0a1b2c3d4e5f"),)),
        ),
        _service_linked_role("ecs.application-autoscaling.amazonaws.com"),
    ),
    "application-autoscaling:PutScalingPolicy": _alarms("DescribeAlarms", "PutMetricAlarm"),
    "application-autoscaling:DeleteScalingPolicy": _alarms("DeleteAlarms"),
}
"""What an operation needs besides the action of its own name."""
