"""Clusters come and go in their time, and Kubernetes Engine refuses what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions as api
from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.rehearsal.gcp.clients import Clients

RUNNING = gke.Cluster.Status.RUNNING
AUTOPILOT = gke.Autopilot(enabled=True)


def standard(name: str = "c", count: int = 2, **config: Any) -> gke.Cluster:
    return gke.Cluster(name=name, initial_node_count=count, node_config=gke.NodeConfig(**config))


def test_a_cluster_takes_its_time_and_then_runs(google: Clients) -> None:
    operation = google.clusters.create_cluster(
        parent=google.region, cluster=gke.Cluster(name="c", autopilot=AUTOPILOT, resource_labels={"a": "b"})
    )
    assert (operation.status.name, operation.operation_type.name) == ("RUNNING", "CREATE_CLUSTER")
    assert google.finished(operation).end_time
    cluster = google.clusters.get_cluster(name=f"{google.region}/clusters/c")
    assert (cluster.status, dict(cluster.resource_labels), cluster.location) == (RUNNING, {"a": "b"}, "us-central1")
    assert cluster.endpoint
    assert cluster.master_auth.cluster_ca_certificate
    assert len(cluster.locations) == 3


def test_one_that_is_being_made_cannot_be_removed_yet(slow: Clients) -> None:
    operation = slow.clusters.create_cluster(parent=slow.region, cluster=gke.Cluster(name="c", autopilot=AUTOPILOT))
    name = f"{slow.region}/clusters/c"
    assert slow.clusters.get_cluster(name=name).status == gke.Cluster.Status.PROVISIONING
    with pytest.raises(api.FailedPrecondition, match="is currently creating cluster c") as refused:
        slow.clusters.delete_cluster(name=name)
    assert refused.value.reason == "CLUSTER_ALREADY_HAS_OPERATION"
    slow.rehearsal.hurry()
    slow.finished(operation)
    going = slow.clusters.delete_cluster(name=name)
    assert slow.clusters.get_cluster(name=name).status == gke.Cluster.Status.STOPPING
    with pytest.raises(api.FailedPrecondition, match="is currently deleting cluster c"):
        slow.clusters.delete_cluster(name=name)
    slow.rehearsal.hurry()
    slow.finished(going)
    with pytest.raises(api.NotFound):
        slow.clusters.get_cluster(name=name)
    assert slow.rehearsal.contents() == ()


def test_a_region_triples_the_nodes(google: Clients) -> None:
    for metric in ("CPUS", "IN_USE_ADDRESSES", "SSD_TOTAL_GB"):
        google.rehearsal.limit_quota(metric, 2000)
    for location, nodes in ((google.zone, 2), (google.region, 6)):
        google.finished(google.clusters.create_cluster(parent=location, cluster=standard()))
        assert google.clusters.get_cluster(name=f"{location}/clusters/c").current_node_count == nodes
    everywhere = google.clusters.list_clusters(parent=f"projects/{google.project}/locations/-").clusters
    assert sorted(each.location for each in everywhere) == ["us-central1", "us-central1-a"]


def test_the_nodes_have_disks_and_count_against_the_quotas(google: Clients) -> None:
    cluster = standard(machine_type="e2-standard-4")
    cluster.resource_labels = {"mldeploy-app": "a"}
    google.finished(google.clusters.create_cluster(parent=google.zone, cluster=cluster))
    disks = google.compute("/aggregated/disks").json()["items"]["zones/us-central1-a"]["disks"]
    assert [disk["labels"]["mldeploy-app"] for disk in disks] == ["a", "a"]
    quotas = {each["metric"]: each["usage"] for each in google.compute("/regions/us-central1").json()["quotas"]}
    assert quotas == {"CPUS": 8.0, "IN_USE_ADDRESSES": 2.0, "SSD_TOTAL_GB": 200.0}
    google.finished(google.clusters.delete_cluster(name=f"{google.zone}/clusters/c"))
    assert google.compute("/aggregated/disks").json()["items"] == {}


def test_a_quota_that_is_used_up_is_said_at_once(google: Clients) -> None:
    google.rehearsal.limit_quota("CPUS", 8)
    with pytest.raises(api.PermissionDenied, match=r'resource "CPUS": request requires \'12.0\' and is short \'4.0\''):
        google.clusters.create_cluster(parent=google.region, cluster=standard())
    assert google.rehearsal.contents() == ()


def test_an_operation_can_fail_after_a_while(google: Clients) -> None:
    google.rehearsal.fail_operation("CREATE_CLUSTER", "Google Compute Engine: no such machines left.", seconds=0.1)
    failed = google.finished(
        google.clusters.create_cluster(parent=google.region, cluster=gke.Cluster(name="c", autopilot=AUTOPILOT))
    )
    assert (failed.error.code, failed.error.message) == (8, "Google Compute Engine: no such machines left.")
    name = f"{google.region}/clusters/c"
    broken = google.clusters.get_cluster(name=name)
    assert (broken.status.name, broken.status_message) == ("ERROR", failed.error.message)
    google.finished(google.clusters.delete_cluster(name=name))
    assert google.autopilot().status == RUNNING


def test_a_second_one_of_the_same_name_is_refused(google: Clients) -> None:
    google.autopilot()
    with pytest.raises(api.Conflict, match="Already exists: projects/"):
        google.clusters.create_cluster(parent=google.region, cluster=gke.Cluster(name="c", autopilot=AUTOPILOT))


@pytest.mark.parametrize(
    ("location", "cluster", "why"),
    [
        ("region", gke.Cluster(name="c", autopilot=AUTOPILOT, initial_node_count=2), "must not be set for Autopilot"),
        ("region", gke.Cluster(name="c", autopilot=AUTOPILOT, node_config={"machine_type": "e2-medium"}), "Autopilot"),
        ("zone", gke.Cluster(name="c", autopilot=AUTOPILOT), "Autopilot clusters must be regional clusters"),
        ("zone", gke.Cluster(name="c"), "initial_node_count must be greater than zero"),
        ("zone", standard("Upper_Case"), "Invalid value for field"),
        ("zone", standard(machine_type="m7i.large"), "does not exist"),
        ("zone", standard(disk_size_gb=5), "at least 10 GB"),
        ("zone", standard(count=2000), "between 0 and 1000"),
        ("zone", gke.Cluster(name="c", initial_node_count=1, network="mine"), 'has no network named "mine"'),
        ("zone", gke.Cluster(name="c", initial_node_count=1, resource_labels={"A": "b"}), "label key"),
        (
            "zone",
            gke.Cluster(name="c", initial_node_count=1, workload_identity_config={"workload_pool": "x.svc.id.goog"}),
            "identity namespace",
        ),
        ("zone", gke.Cluster(name="c", initial_node_count=1, locations=["europe-west1-b"]), "not a valid zone"),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(google: Clients, location: str, cluster: gke.Cluster, why: str) -> None:
    with pytest.raises(api.InvalidArgument, match=why):
        google.clusters.create_cluster(parent=getattr(google, location), cluster=cluster)
    assert google.rehearsal.contents() == ()


def test_a_place_that_does_not_exist_is_refused(google: Clients) -> None:
    with pytest.raises(api.InvalidArgument, match="does not exist"):
        google.clusters.create_cluster(parent=f"projects/{google.project}/locations/mars", cluster=standard())


def test_a_cluster_can_be_changed_in_some_ways(google: Clients) -> None:
    google.finished(google.clusters.create_cluster(parent=google.zone, cluster=standard()))
    name = f"{google.zone}/clusters/c"
    pool = f"{name}/nodePools/default-pool"
    google.finished(google.clusters.set_node_pool_size(request={"name": pool, "node_count": 1}))
    rapid = gke.ReleaseChannel(channel=gke.ReleaseChannel.Channel.RAPID)
    update = gke.ClusterUpdate(desired_release_channel=rapid)
    google.finished(google.clusters.update_cluster(request={"name": name, "update": update}))
    before = google.clusters.get_cluster(name=name)
    labels = {"name": name, "resource_labels": {"a": "b"}, "label_fingerprint": before.label_fingerprint}
    google.finished(google.clusters.set_labels(request=labels))
    after = google.clusters.get_cluster(name=name)
    assert (after.current_node_count, after.release_channel.channel.name) == (1, "RAPID")
    assert dict(after.resource_labels) == {"a": "b"}
    with pytest.raises(api.FailedPrecondition, match="fingerprint"):
        google.clusters.set_labels(request=labels)


def test_a_rehearsal_that_is_new_knows_no_cluster(rehearsal: GcpRehearsal, google: Clients) -> None:
    google.autopilot()
    rehearsal.reset()
    assert list(google.clusters.list_clusters(parent=google.region).clusters) == []
