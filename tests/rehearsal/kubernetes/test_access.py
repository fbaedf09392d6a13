"""Access control: service accounts, roles and reviews; the call log and injected faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from mldeploy.rehearsal.kubernetes import FaultKind, FaultOrder, LoggedCall
from tests.rehearsal.kubernetes.cluster import RBAC, SPACE, Cluster, rejected_call

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
    attributes = {"verb": verb, "resource": resource, "subresource": part, "namespace": space, "group": group}
    review = {"spec": {"resourceAttributes": attributes}}
    return bool(cluster.ask("POST", f"{REVIEWS}/selfsubjectaccessreviews", review)["status"]["allowed"])


def test_who_is_allowed_nothing_may_look_at_the_servers_version_alone(helper: Cluster) -> None:
    assert "gitVersion" in helper.ask("GET", "/version")
    refusal = rejected_call(lambda: helper.list("configmaps"))
    assert refusal.status == 403
    assert refusal.message == (
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
    assert rejected_call(lambda: helper.create("configmaps", {"metadata": {"name": "c"}})).status == 403
    spec = {"spec": {"namespace": SPACE}}
    rules = helper.ask("POST", f"{REVIEWS}/selfsubjectrulesreviews", spec)["status"]["resourceRules"]
    assert rules == [READING]


def test_a_cluster_role_allows_it_everywhere_and_a_name_narrows_it(cluster: Cluster, helper: Cluster) -> None:
    allow(cluster, {**READING, "resourceNames": ["kube-root-ca.crt"]}, kind="ClusterRole")
    for space in (SPACE, "default"):
        assert helper.ask("GET", f"/api/v1/namespaces/{space}/configmaps/kube-root-ca.crt")["data"]
    assert rejected_call(lambda: helper.get("configmaps", "other")).status == 403


def test_what_is_not_there_is_applied_only_by_who_may_create_it(cluster: Cluster, helper: Cluster) -> None:
    allow(cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    refusal = rejected_call(lambda: helper.apply("configmaps", document))
    assert (refusal.status, "cannot create resource" in refusal.message) == (403, True)
    cluster.apply("configmaps", document)
    helper.apply("configmaps", {**document, "data": {"a": "b"}}, manager="them")


def test_a_token_is_good_as_long_as_its_account(cluster: Cluster, helper: Cluster) -> None:
    cluster.delete("serviceaccounts", "helper")
    assert rejected_call(lambda: helper.ask("GET", "/version")).status == 401
    cluster.create("serviceaccounts", {"metadata": {"name": "helper"}})
    assert rejected_call(lambda: helper.ask("GET", "/version")).status == 401


MAP = {"metadata": {"name": "c"}}


@pytest.fixture
def space(cluster: Cluster) -> Cluster:
    cluster.create_space()
    return cluster


def test_calls_are_known_by_their_verbs_and_resources(cluster: Cluster) -> None:
    cluster.ask("GET", "/version")
    cluster.ask("GET", "/apis/apps/v1/deployments")
    cluster.find(cluster.path("deployments", "app"))
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
    cluster.find(f"/api/v1/namespaces/{SPACE}/pods/p/log")
    assert cluster.rehearsal.calls() == (
        LoggedCall(1, "get /version", writing=False),
        LoggedCall(2, "list deployments.apps", writing=False),
        LoggedCall(3, "get deployments.apps", writing=False),
        LoggedCall(4, "create namespaces", writing=True),
        LoggedCall(5, "get pods/log", writing=False),
    )


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.THROTTLE, 429, "TooManyRequests"),
        (FaultKind.ERROR, 500, "InternalError"),
        (FaultKind.DENIED, 403, "Forbidden"),
    ],
)
def test_a_refusal_is_a_status_and_nothing_is_done(space: Cluster, kind: FaultKind, status: int, reason: str) -> None:
    space.rehearsal.faults.inject(FaultOrder(kind, "create configmaps"))
    refusal = rejected_call(lambda: space.create("configmaps", MAP))
    assert (refusal.status, refusal.reason) == (status, reason)
    assert space.find(space.path("configmaps", "c")) is None


def test_a_missing_permission_is_named(space: Cluster) -> None:
    space.rehearsal.faults.inject(FaultOrder(FaultKind.DENIED, "create deployments.apps"))
    refusal = rejected_call(lambda: space.create("deployments", MAP))
    assert 'cannot create resource "deployments" in API group "apps" in the namespace "space"' in refusal.message


@pytest.mark.parametrize(("kind", "is_done"), [(FaultKind.CUT_BEFORE, False), (FaultKind.CUT_AFTER, True)])
def test_a_cut_leaves_the_client_in_doubt(space: Cluster, kind: FaultKind, is_done: bool) -> None:
    space.rehearsal.faults.inject(FaultOrder(kind, "create configmaps"))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        space.create("configmaps", MAP)
    assert (space.find(space.path("configmaps", "c")) is not None) is is_done
