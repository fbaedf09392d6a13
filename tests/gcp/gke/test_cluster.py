"""A cluster's life: it comes, it is changed, it fails after a while, it goes; and whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.cloud import container_v1 as gke

from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Action
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.checks import Level
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.gke.ground import APP, Ground

pytestmark = pytest.mark.engine


@pytest.fixture
def ground(rehearsal: GcpRehearsal, tmp_path: Path) -> Ground:
    return Ground(rehearsal, tmp_path / "state")


def test_it_bears_our_labels_and_a_second_deployment_changes_nothing(ground: Ground) -> None:
    ground.deploy()
    (made,) = ground.clusters()
    assert (made.name, made.autopilot.enabled) == (APP, True)
    assert dict(made.resource_labels) == {"mldeploy-app": APP, "mldeploy-target": "gke"}
    before = len(ground.rehearsal.calls())
    (again,) = ground.deploy().steps
    assert again.action is Action.UNCHANGED
    assert not [call for call in ground.rehearsal.calls()[before:] if call.writing]
    assert [str(each) for each in ground.destroy().removed] == [f"gke-cluster {APP}"]
    assert ground.clusters() == []


def test_nodes_in_a_zone_are_as_many_as_were_asked_for(ground: Ground) -> None:
    ground.keys = {"nodes": 2, "zone": "us-central1-c"}
    ground.deploy()
    (made,) = ground.clusters()
    assert (made.location, made.current_node_count) == ("us-central1-c", 2)


def test_what_can_be_changed_is_changed(ground: Ground) -> None:
    ground.keys = {"nodes": 1}
    ground.deploy()
    ground.keys = {"nodes": 2, "release_channel": "stable"}
    assert ground.reasons() == ("3 nodes → 6", "release channel regular → stable")
    ground.deploy()
    assert ground.reasons() == ()
    (made,) = ground.clusters()
    assert made.current_node_count == 6


def test_what_cannot_be_changed_is_replaced_only_if_that_is_allowed(ground: Ground) -> None:
    ground.keys = {"nodes": 1, "zone": "us-central1-a"}
    ground.deploy()
    ground.keys["machine_type"] = "e2-standard-4"
    with pytest.raises(DeploymentFailedError, match="machine type e2-standard-2 → e2-standard-4") as caught:
        ground.deploy()
    assert caught.value.exit_code is ExitCode.REFUSED
    ground.deploy(replace=True)
    assert ground.clusters()[0].node_pools[0].config.machine_type == "e2-standard-4"


def test_an_operation_that_fails_after_a_while_says_why_and_the_next_deployment_begins_anew(ground: Ground) -> None:
    ground.rehearsal.fail_operation("CREATE_CLUSTER", "Google Compute Engine: stockout in us-central1-a.", seconds=1.5)
    with pytest.raises(DeploymentFailedError, match="stockout in us-central1-a") as caught:
        ground.deploy()
    assert caught.value.exit_code is ExitCode.REMOTE
    assert "try later, or another zone" in caught.value.todo
    assert ground.clusters()[0].status == gke.Cluster.Status.ERROR
    (again,) = ground.deploy().steps
    assert again.action is Action.CREATED
    assert ground.clusters()[0].status == gke.Cluster.Status.RUNNING


def test_a_cluster_that_failed_is_removed(ground: Ground) -> None:
    ground.rehearsal.fail_operation("CREATE_CLUSTER", "It was not to be.")
    with pytest.raises(DeploymentFailedError, match="It was not to be"):
        ground.deploy()
    ground.destroy()
    assert ground.clusters() == []


def test_a_removal_that_fails_is_ordered_again(ground: Ground) -> None:
    ground.deploy()
    ground.rehearsal.fail_operation("DELETE_CLUSTER", "Something still uses it.")
    assert ground.destroy().removed
    assert ground.clusters() == []


def test_a_quota_is_no_missing_permission(ground: Ground) -> None:
    ground.rehearsal.limit_quota("CPUS", 4)
    ground.keys = {"nodes": 3, "zone": "us-central1-a"}
    with pytest.raises(DeploymentFailedError, match='Insufficient regional quota to satisfy request: resource "CPUS"'):
        ground.deploy()
    quota = [each for each in ground.look() if each.subject == "quota" and each.level is Level.ERROR]
    assert [each.what for each in quota] == ["CPUS in us-central1: 0 of 4 are used, and the cluster needs 6 more"]


def test_a_cluster_of_somebody_else_is_neither_used_nor_removed(ground: Ground) -> None:
    others = ground.others
    others.clusters.create_cluster(
        parent=others.parent("us-central1"), cluster=gke.Cluster(name=APP, initial_node_count=1)
    )
    with pytest.raises(DeploymentFailedError) as caught:
        ground.deploy()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert not ground.destroy().removed
    assert [each.name for each in ground.clusters()] == [APP]


def test_the_doctor_looks_at_the_project_the_apis_and_the_cluster(ground: Ground) -> None:
    found = {each.subject: each for each in ground.look()}
    assert {each.level for each in found.values()} == {Level.OK}
    assert "container.googleapis.com" in found["APIs"].what
    assert "`mldeploy deploy` makes it" in found["cluster"].what
    ground.keys = {"cluster": "nowhere"}
    found = {each.subject: each for each in ground.look()}
    assert found["cluster"].level is Level.ERROR
