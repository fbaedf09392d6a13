"""Every call passes the front door: it has RBAC's name, and meets the fault that is ordered for it."""

from __future__ import annotations

import pytest
import urllib3

from mldeploy.rehearsal.kubernetes import Call, Fault, Kind
from tests.rehearsal.kubernetes.cluster import SPACE, Cluster, refused

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
        Call(1, "get /version", writing=False),
        Call(2, "list deployments.apps", writing=False),
        Call(3, "get deployments.apps", writing=False),
        Call(4, "create namespaces", writing=True),
        Call(5, "get pods/log", writing=False),
    )


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (Kind.THROTTLE, 429, "TooManyRequests"),
        (Kind.ERROR, 500, "InternalError"),
        (Kind.DENIED, 403, "Forbidden"),
    ],
)
def test_a_refusal_is_a_status_and_nothing_is_done(space: Cluster, kind: Kind, status: int, reason: str) -> None:
    space.rehearsal.faults.order(Fault(kind, "create configmaps"))
    refusal = refused(lambda: space.create("configmaps", MAP))
    assert (refusal.status, refusal.reason) == (status, reason)
    assert space.find(space.path("configmaps", "c")) is None


def test_a_missing_permission_is_named(space: Cluster) -> None:
    space.rehearsal.faults.order(Fault(Kind.DENIED, "create deployments.apps"))
    refusal = refused(lambda: space.create("deployments", MAP))
    assert 'cannot create resource "deployments" in API group "apps" in the namespace "space"' in refusal.message


@pytest.mark.parametrize(("kind", "is_done"), [(Kind.CUT_BEFORE, False), (Kind.CUT_AFTER, True)])
def test_a_cut_leaves_the_client_in_doubt(space: Cluster, kind: Kind, is_done: bool) -> None:
    space.rehearsal.faults.order(Fault(kind, "create configmaps"))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        space.create("configmaps", MAP)
    assert (space.find(space.path("configmaps", "c")) is not None) is is_done
