"""Somebody who may do less: a service account, its roles, and what it is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rehearsal.kubernetes.cluster import RBAC, SPACE, Cluster, refused

ACCOUNT = f"/api/v1/namespaces/{SPACE}/serviceaccounts/helper"
REVIEWS = "/apis/authorization.k8s.io/v1"
READING = {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list"]}


@pytest.fixture
def helper(cluster: Cluster) -> Iterator[Cluster]:
    """The same cluster as a service account sees it, to which nothing is allowed yet."""
    cluster.create_space()
    cluster.create("serviceaccounts", {"metadata": {"name": "helper"}})
    token = cluster.ask("POST", f"{ACCOUNT}/token", {"spec": {}})["status"]["token"]
    with Cluster.of(cluster.rehearsal, token) as made:
        yield made


def allow(cluster: Cluster, *rules: dict[str, Any], kind: str = "Role") -> None:
    """Bind a role with these rules to the account; a ClusterRole everywhere."""
    subject = {"kind": "ServiceAccount", "name": "helper", "namespace": SPACE}
    role, binding = {"metadata": {"name": "helper"}, "rules": list(rules)}, {"metadata": {"name": "helper"}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "helper"}
    inside = f"/namespaces/{SPACE}" if kind == "Role" else ""
    cluster.ask("POST", f"{RBAC}{inside}/{kind.lower()}s", role)
    cluster.ask(
        "POST", f"{RBAC}{inside}/{kind.lower()}bindings", {**binding, "subjects": [subject], "roleRef": reference}
    )


def may(cluster: Cluster, verb: str, resource: str, part: str = "", space: str = SPACE, group: str = "") -> bool:
    asked = {"verb": verb, "resource": resource, "subresource": part, "namespace": space, "group": group}
    review = {"spec": {"resourceAttributes": asked}}
    return bool(cluster.ask("POST", f"{REVIEWS}/selfsubjectaccessreviews", review)["status"]["allowed"])


def test_who_is_allowed_nothing_may_look_at_the_servers_version_alone(helper: Cluster) -> None:
    assert "gitVersion" in helper.ask("GET", "/version")
    said = refused(lambda: helper.list("configmaps"))
    assert said.status == 403
    assert said.message == (
        f'configmaps is forbidden: User "system:serviceaccount:{SPACE}:helper" cannot list resource "configmaps" in '
        f'API group "" in the namespace "{SPACE}"'
    )
    assert not may(helper, "list", "configmaps")


def test_a_role_allows_what_it_says_in_its_namespace(cluster: Cluster, helper: Cluster) -> None:
    allow(cluster, READING)
    assert helper.list("configmaps")
    assert may(helper, "get", "pods", "log")
    for no in (
        ("create", "configmaps"),
        ("get", "pods"),
        ("get", "pods", "exec"),
        ("get", "configmaps", "", "default"),
    ):
        assert not may(helper, *no)
    assert refused(lambda: helper.create("configmaps", {"metadata": {"name": "c"}})).status == 403
    spec = {"spec": {"namespace": SPACE}}
    rules = helper.ask("POST", f"{REVIEWS}/selfsubjectrulesreviews", spec)["status"]["resourceRules"]
    assert rules == [READING]


def test_a_cluster_role_allows_it_everywhere_and_a_name_narrows_it(cluster: Cluster, helper: Cluster) -> None:
    allow(cluster, {**READING, "resourceNames": ["kube-root-ca.crt"]}, kind="ClusterRole")
    for space in (SPACE, "default"):
        assert helper.ask("GET", f"/api/v1/namespaces/{space}/configmaps/kube-root-ca.crt")["data"]
    assert refused(lambda: helper.get("configmaps", "other")).status == 403


def test_what_is_not_there_is_applied_only_by_who_may_create_it(cluster: Cluster, helper: Cluster) -> None:
    allow(cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    said = refused(lambda: helper.apply("configmaps", document))
    assert (said.status, "cannot create resource" in said.message) == (403, True)
    cluster.apply("configmaps", document)
    helper.apply("configmaps", {**document, "data": {"a": "b"}}, manager="them")


def test_a_token_is_good_as_long_as_its_account(cluster: Cluster, helper: Cluster) -> None:
    cluster.delete("serviceaccounts", "helper")
    assert refused(lambda: helper.ask("GET", "/version")).status == 401
    cluster.create("serviceaccounts", {"metadata": {"name": "helper"}})
    assert refused(lambda: helper.ask("GET", "/version")).status == 401
