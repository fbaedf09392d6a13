"""An API that is not enabled refuses, says so, and can be enabled."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as api
from google.cloud import container_v1 as gke

from tests.rehearsal.account import eventually
from tests.rehearsal.gcp.clients import SECONDS, Clients

CONTAINER, COMPUTE = "container.googleapis.com", "compute.googleapis.com"


def disable(google: Clients, service: str) -> None:
    name = f"projects/{google.project}/services/{service}"
    google.services.disable_service(request={"name": name}).result(timeout=SECONDS)


def test_an_api_that_is_not_enabled_is_named(google: Clients) -> None:
    disable(google, CONTAINER)
    with pytest.raises(api.PermissionDenied, match="has not been used in project") as refused:
        google.clusters.list_clusters(parent=google.region)
    assert refused.value.reason == "SERVICE_DISABLED"
    assert (refused.value.metadata or {})["service"] == CONTAINER
    disable(google, COMPUTE)
    error = google.compute("/aggregated/disks").json()["error"]
    assert error["errors"][0]["reason"] == "accessNotConfigured"
    assert error["details"][0]["reason"] == "SERVICE_DISABLED"


def test_which_ones_are_enabled_can_be_asked(google: Clients) -> None:
    disable(google, CONTAINER)
    parent = f"projects/{google.project}"
    names = [f"{parent}/services/{each}" for each in (CONTAINER, COMPUTE)]
    services = google.services.batch_get_services(request={"parent": parent, "names": names}).services
    assert [each.state.name for each in services] == ["DISABLED", "ENABLED"]
    listed = google.services.list_services(request={"parent": parent, "filter": "state:DISABLED"})
    assert [each.config.name for each in listed] == [CONTAINER]


def test_a_cluster_needs_compute_engine_which_comes_with_its_own_api(google: Clients) -> None:
    disable(google, COMPUTE)
    cluster = gke.Cluster(name="c", autopilot=gke.Autopilot(enabled=True))
    with pytest.raises(api.PermissionDenied, match=COMPUTE):
        google.clusters.create_cluster(parent=google.region, cluster=cluster)
    name = f"projects/{google.project}/services/{CONTAINER}"
    google.services.enable_service(request={"name": name}).result(timeout=SECONDS)
    eventually(lambda: google.compute("/aggregated/disks").ok or None, "Compute Engine")


def test_one_that_does_not_exist_is_refused(google: Clients) -> None:
    with pytest.raises(api.PermissionDenied, match="Not found or permission denied for service"):
        google.services.get_service(request={"name": f"projects/{google.project}/services/nonsense.googleapis.com"})


def state(google: Clients, service: str) -> str:
    name = f"projects/{google.project}/services/{service}"
    return str(google.services.get_service(request={"name": name}).state.name)


def test_one_that_was_enabled_still_refuses_for_a_while(slow: Clients) -> None:
    name = f"projects/{slow.project}/services/{CONTAINER}"
    slow.services.disable_service(request={"name": name})
    request = {"parent": f"projects/{slow.project}", "service_ids": [CONTAINER]}
    slow.services.batch_enable_services(request=request)
    assert state(slow, CONTAINER) == "DISABLED"
    slow.rehearsal.hurry()
    assert state(slow, CONTAINER) == "ENABLED"
    with pytest.raises(api.PermissionDenied, match="wait a few minutes"):
        slow.clusters.list_clusters(parent=slow.region)
    slow.rehearsal.hurry()
    slow.clusters.list_clusters(parent=slow.region)
