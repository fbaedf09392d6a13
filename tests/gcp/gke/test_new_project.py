"""A project that was made today: its quotas, its networks, its accounts, and credentials that name a quota project."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.capabilities import Finding, Level
from mldeploy.providers.gcp.errors import GcpDeniedError
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.gke.harness import ClusterHarness

pytestmark = pytest.mark.engine


@pytest.fixture
def harness(rehearsal: GcpRehearsal, tmp_path: Path) -> ClusterHarness:
    return ClusterHarness(rehearsal, tmp_path / "state")


def findings(harness: ClusterHarness, subject: str) -> list[Finding]:
    return [each for each in harness.diagnose() if each.subject == subject]


def test_two_nodes_in_each_zone_fit_into_the_quotas(harness: ClusterHarness) -> None:
    harness.keys = {"nodes": 2}
    quotas = findings(harness, "quota")
    assert [each.what.partition(" ")[0] for each in quotas] == ["CPUS", "IN_USE_ADDRESSES", "SSD_TOTAL_GB"]
    assert {each.level for each in quotas} == {Level.OK}
    harness.deploy()
    (made,) = harness.clusters()
    assert made.current_node_count == 6


def test_larger_disks_exceed_the_quota_and_the_doctor_says_it_before(harness: ClusterHarness) -> None:
    harness.keys = {"nodes": 2, "disk_size": 100}
    (too_much,) = [each for each in findings(harness, "quota") if each.level is Level.ERROR]
    assert too_much.what == "SSD_TOTAL_GB in us-central1: 0 of 500 are used, and the cluster needs 600 more"
    assert "a smaller `disk_size`" in too_much.todo
    with pytest.raises(DeploymentFailedError, match='resource "SSD_TOTAL_GB": request requires \'600'):
        harness.deploy()


@pytest.mark.parametrize(
    ("networks", "keys", "what", "todo"),
    [
        ({}, {}, 'has no network named "default"', "Set `network`"),
        ({"main": ["main-us"]}, {"network": "main"}, "requires specifying a subnetwork", "Set `subnetwork`"),
        (
            {"main": ["main-us"]},
            {"network": "main", "subnetwork": "main-eu"},
            "is not valid for Network",
            "Set `subnetwork`",
        ),
    ],
)
def test_a_network_that_cannot_be_used_is_answered_at_once_with_the_setting(
    harness: ClusterHarness, networks: dict[str, list[str]], keys: dict[str, object], what: str, todo: str
) -> None:
    harness.rehearsal.set_networks(networks)
    harness.keys = keys
    with pytest.raises(DeploymentFailedError, match=what) as caught:
        harness.deploy()
    assert todo in caught.value.todo


def test_a_cluster_is_made_in_a_subnetwork(harness: ClusterHarness) -> None:
    harness.rehearsal.set_networks({"main": ["main-us"]})
    harness.keys = {"network": "main", "subnetwork": "main-us"}
    harness.deploy()
    (made,) = harness.clusters()
    assert (made.network, made.subnetwork) == ("main", "main-us")


def test_the_doctor_names_the_role_that_the_nodes_account_lacks(harness: ClusterHarness) -> None:
    (fine,) = findings(harness, "node account")
    assert fine.level is Level.OK
    harness.rehearsal.bind_roles({})
    (lacking,) = findings(harness, "node account")
    assert lacking.level is Level.WARNING
    assert "123456789012-compute@developer.gserviceaccount.com has no" in lacking.what
    assert "gcloud projects add-iam-policy-binding rehearsal-project --member serviceAccount:1234" in lacking.todo
    assert "--role roles/container.defaultNodeServiceAccount`" in lacking.todo


def test_who_may_not_use_the_quota_project_is_told_so(harness: ClusterHarness) -> None:
    harness.rehearsal.restrict(["container.clusters.get", "container.clusters.create", "iam.serviceAccounts.actAs"])
    with pytest.raises(DeploymentFailedError, match=r"no permission for serviceusage\.services\.use") as caught:
        harness.deploy()
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "on the quota project rehearsal-project" in str(caught.value)
    assert "set-quota-project PROJECT" in caught.value.todo
    with pytest.raises(GcpDeniedError, match=r"serviceusage\.services\.use"):  # over REST, too
        harness.connect().compute.default_account()


def test_who_may_not_attach_the_nodes_account_is_told_which_permission(harness: ClusterHarness) -> None:
    harness.rehearsal.restrict(
        ["container.clusters.get", "container.clusters.create", "serviceusage.services.use", "container.operations.get"]
    )
    with pytest.raises(DeploymentFailedError, match='does not have access to service account "default"') as caught:
        harness.deploy()
    assert "iam.serviceAccounts.actAs" in caught.value.todo


def test_an_image_for_another_processor_is_refused_before_a_cluster_is_made(harness: ClusterHarness) -> None:
    harness.platform = "linux/arm64"
    with pytest.raises(DeploymentFailedError, match="the nodes of Autopilot are amd64") as caught:
        harness.deploy()
    assert caught.value.exit_code is ExitCode.CONFIG
    assert harness.clusters() == []
    harness.platform = "linux/amd64"
    harness.deploy()
    harness.platform = "linux/arm64"
    assert harness.reasons() == ("amd64 nodes → nodes for linux/arm64",)
    with pytest.raises(DeploymentFailedError, match="the nodes of Autopilot are amd64"):
        harness.deploy()


def test_nodes_that_an_upgrade_adds_for_a_while_resize_nothing(harness: ClusterHarness) -> None:
    harness.rehearsal.toughen()
    harness.keys = {"nodes": 1}
    harness.deploy()
    (made,) = harness.clusters()
    assert made.current_node_count == 4
    assert harness.reasons() == ()
