"""What is read from a cluster: its size, its address, whom to trust there, and what its nodes can run."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.container_v1 import types

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.gke.cloud import trusted_file
from mldeploy.providers.gcp.gke.cluster import wrong_nodes
from mldeploy.providers.gcp.gke.clusters import ClusterInfo, parse_cluster
from mldeploy.providers.gcp.identity import GoogleCredentials

CA = base64.b64encode(b"a certificate").decode()
DNS_NAME = "gke-94fc1769e0c844e99793ee485d88c68c0b39.europe-west1.gke.goog"


def cluster(**fields: object) -> ClusterInfo:
    authority = types.MasterAuth(cluster_ca_certificate=CA)
    return parse_cluster(types.Cluster({"name": "shared", "master_auth": authority, **fields}))


def pool(machine_type: str, count: int = 1) -> types.NodePool:
    return types.NodePool(
        name="default-pool", initial_node_count=count, config=types.NodeConfig(machine_type=machine_type)
    )


def account(bundle: Path | None = None) -> GcpProject:
    identity = GoogleCredentials(AnonymousCredentials(), "p", None)
    return GcpProject("p", "europe-west1", identity, Endpoints(ca_bundle=bundle))


def test_nodes_that_an_upgrade_adds_do_not_count() -> None:
    zones = ["us-central1-a", "us-central1-b", "us-central1-c"]
    assert cluster(current_node_count=7, locations=zones, node_pools=[pool("e2-medium", 2)]).nodes == 6


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_own_cache")
def test_an_ip_address_has_a_certificate_of_the_clusters_own_authority() -> None:
    trusted = trusted_file(account(), cluster(endpoint="34.1.2.3"))
    assert trusted is not None
    assert Path(trusted).read_text() == "a certificate"


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": DNS_NAME},
        {
            "endpoint": "10.0.0.2",
            "private_cluster_config": {"enable_private_endpoint": True},
            "control_plane_endpoints_config": {
                "dns_endpoint_config": {"endpoint": DNS_NAME, "allow_external_traffic": True}
            },
        },
    ],
    ids=["without an IP address", "with a private one"],
)
def test_a_dns_name_has_a_public_certificate(fields: dict[str, object], tmp_path: Path) -> None:
    there = cluster(**fields)
    assert there.address == DNS_NAME
    assert trusted_file(account(), there) is None
    bundle = tmp_path / "bundle.pem"
    assert trusted_file(account(bundle), there) == str(bundle)


def test_a_shared_cluster_whose_nodes_cannot_run_the_image_differs() -> None:
    mixed = cluster(node_pools=[pool("e2-standard-2"), pool("t2a-standard-2")])
    assert wrong_nodes("linux/arm64", mixed) == wrong_nodes("linux/amd64", mixed) == ()
    (line,) = wrong_nodes("linux/arm64", cluster(node_pools=[pool("e2-standard-2")]))
    assert line == 'amd64 nodes → nodes for linux/arm64, or platform = "linux/amd64" in [build]'
    assert wrong_nodes("linux/arm64", cluster(autopilot={"enabled": True}))
