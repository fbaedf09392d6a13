"""A cluster's life: it comes, it is changed, it fails after a while, it goes; and whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.cloud import container_v1 as gke

from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.capabilities import Level
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.gke.harness import APP, ClusterHarness

pytestmark = pytest.mark.engine


@pytest.fixture
def harness(rehearsal: GcpRehearsal, tmp_path: Path) -> ClusterHarness:
    return ClusterHarness(rehearsal, tmp_path / "state")


def test_it_bears_our_labels_and_a_second_deployment_changes_nothing(harness: ClusterHarness) -> None:
    harness.deploy()
    (made,) = harness.clusters()
    assert (made.name, made.autopilot.enabled) == (APP, True)
    assert dict(made.resource_labels) == {"mldeploy-app": APP, "mldeploy-target": "gke"}
    before = len(harness.rehearsal.calls())
    (again,) = harness.deploy().steps
    assert again.action is Action.UNCHANGED
    assert not [call for call in harness.rehearsal.calls()[before:] if call.writing]
    assert [str(each) for each in harness.destroy().removed] == [f"gke-cluster {APP}"]
    assert harness.clusters() == []


def test_nodes_in_a_zone_are_as_many_as_were_asked_for(harness: ClusterHarness) -> None:
    harness.keys = {"nodes": 2, "zone": "us-central1-c"}
    harness.deploy()
    (made,) = harness.clusters()
    assert (made.location, made.current_node_count) == ("us-central1-c", 2)


def test_what_can_be_changed_is_changed(harness: ClusterHarness) -> None:
    harness.keys = {"nodes": 1}
    harness.deploy()
    harness.keys = {"nodes": 2, "release_channel": "stable"}
    assert harness.reasons() == ("3 nodes → 6", "release channel regular → stable")
    harness.deploy()
    assert harness.reasons() == ()
    (made,) = harness.clusters()
    assert made.current_node_count == 6


def test_what_cannot_be_changed_is_replaced_only_if_that_is_allowed(harness: ClusterHarness) -> None:
    harness.keys = {"nodes": 1, "zone": "us-central1-a"}
    harness.deploy()
    harness.keys["machine_type"] = "e2-standard-4"
    with pytest.raises(DeploymentFailedError, match="machine type e2-standard-2 → e2-standard-4") as caught:
        harness.deploy()
    assert caught.value.exit_code is ExitCode.REFUSED
    harness.deploy(replace=True)
    assert harness.clusters()[0].node_pools[0].config.machine_type == "e2-standard-4"


def test_an_operation_that_fails_after_a_while_says_why_and_the_next_deployment_begins_anew(
    harness: ClusterHarness,
) -> None:
    harness.rehearsal.fail_operation("CREATE_CLUSTER", "Google Compute Engine: stockout in us-central1-a.", seconds=1.5)
    with pytest.raises(DeploymentFailedError, match="stockout in us-central1-a") as caught:
        harness.deploy()
    assert caught.value.exit_code is ExitCode.REMOTE
    assert "try later, or choose another zone" in caught.value.todo
    assert harness.clusters()[0].status == gke.Cluster.Status.ERROR
    (again,) = harness.deploy().steps
    assert again.action is Action.CREATED
    assert harness.clusters()[0].status == gke.Cluster.Status.RUNNING


def test_a_cluster_that_failed_is_removed(harness: ClusterHarness) -> None:
    harness.rehearsal.fail_operation("CREATE_CLUSTER", "It was not to be.")
    with pytest.raises(DeploymentFailedError, match="It was not to be"):
        harness.deploy()
    harness.destroy()
    assert harness.clusters() == []


def test_a_removal_that_fails_is_ordered_again(harness: ClusterHarness) -> None:
    harness.deploy()
    harness.rehearsal.fail_operation("DELETE_CLUSTER", "Something still uses it.")
    assert harness.destroy().removed
    assert harness.clusters() == []


def test_a_quota_is_no_missing_permission(harness: ClusterHarness) -> None:
    harness.rehearsal.limit_quota("CPUS", 4)
    harness.keys = {"nodes": 3, "zone": "us-central1-a"}
    with pytest.raises(DeploymentFailedError, match='Insufficient regional quota to satisfy request: resource "CPUS"'):
        harness.deploy()
    quota = [each for each in harness.diagnose() if each.subject == "quota" and each.level is Level.ERROR]
    assert [each.what for each in quota] == ["CPUS in us-central1: 0 of 4 are used, and the cluster needs 6 more"]


def test_a_cluster_of_somebody_else_is_neither_used_nor_removed(harness: ClusterHarness) -> None:
    others = harness.others
    others.clusters.create_cluster(
        parent=others.parent("us-central1"), cluster=gke.Cluster(name=APP, initial_node_count=1)
    )
    with pytest.raises(DeploymentFailedError) as caught:
        harness.deploy()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert not harness.destroy().removed
    assert [each.name for each in harness.clusters()] == [APP]


def test_the_doctor_looks_at_the_project_the_apis_and_the_cluster(harness: ClusterHarness) -> None:
    findings = {each.subject: each for each in harness.diagnose()}
    assert {each.level for each in findings.values()} == {Level.OK}
    assert "container.googleapis.com" in findings["APIs"].what
    assert "`mldeploy deploy` creates it" in findings["cluster"].what
    harness.keys = {"cluster": "nowhere"}
    findings = {each.subject: each for each in harness.diagnose()}
    assert findings["cluster"].level is Level.ERROR
