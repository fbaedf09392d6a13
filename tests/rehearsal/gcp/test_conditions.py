"""A project with a restricted caller, and one in which everything happens that sometimes happens."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from google.api_core import exceptions as api_errors

from tests.rehearsal.account import eventually
from tests.rehearsal.gcp.clients import Clients
from tests.rehearsal.gcp.test_kubernetes import PODS, SERVICES, Api, balanced, pod, rules


def test_every_api_checks_the_callers_permissions(google: Clients, tmp_path: Path) -> None:
    cluster = google.autopilot()
    google.repository()
    api = Api(google, cluster, tmp_path)
    google.rehearsal.restrict(["container.clusters.get", "container.pods.list"])
    assert google.clusters.get_cluster(name=f"{google.region}/clusters/c").name == "c"
    with pytest.raises(api_errors.PermissionDenied, match=r"'container\.clusters\.delete' denied"):
        google.clusters.delete_cluster(name=f"{google.region}/clusters/c")
    with pytest.raises(api_errors.PermissionDenied, match=r"'artifactregistry\.repositories\.get' denied"):
        google.artifacts.get_repository(name=f"{google.region}/repositories/app")
    assert "compute.disks.list" in google.compute("/aggregated/disks").text
    assert api.ask("GET", PODS).status_code == 200
    assert api.ask("GET", SERVICES).status_code == 403
    assert api.ask("GET", "/version").status_code == 200
    assert "container.services.list" in google.rehearsal.checked_permissions()
    google.rehearsal.reset()
    google.repository()


def test_the_permissions_of_the_caller_can_be_asked(google: Clients) -> None:
    google.rehearsal.restrict(["container.clusters.get"])
    base = google.rehearsal.endpoints.service("resourcemanager")
    answer = google.session.post(
        f"{base}/v1/projects/{google.project}:testIamPermissions",
        json={"permissions": ["container.clusters.get", "container.clusters.create"]},
        headers={"Authorization": f"Bearer {google.password()}"},
        timeout=120,
    )
    assert json.loads(answer.text) == {"permissions": ["container.clusters.get"]}


@pytest.mark.parametrize(
    ("project", "reason"), [("rehearsal-project", "USER_PROJECT_DENIED"), ("somebody-elses", "CONSUMER_INVALID")]
)
def test_a_quota_project_must_be_one_that_the_caller_may_use(google: Clients, project: str, reason: str) -> None:
    google.rehearsal.restrict(["container.clusters.get"])
    with pytest.raises(api_errors.PermissionDenied) as refused:
        google.clusters.get_cluster(
            name=f"{google.region}/clusters/c", metadata=[("x-goog-user-project", project)], retry=None
        )
    assert refused.value.reason == reason


def test_autopilot_adds_its_fields_once(google: Clients, tmp_path: Path) -> None:
    api = Api(google, google.autopilot(), tmp_path)
    wanted = pod("nowhere/app:1")
    container = wanted["spec"]["containers"][0]
    container["securityContext"] = {"capabilities": {"drop": ["ALL"]}}
    wanted["spec"]["nodeSelector"] = {"kubernetes.io/arch": "amd64"}
    made = api.make(PODS, wanted)["spec"]
    assert made["containers"][0]["securityContext"]["capabilities"]["drop"] == ["ALL", "NET_RAW"]
    assert made["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "1Gi"
    keys = [each["key"] for each in made["tolerations"]]
    assert keys == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "kubernetes.io/arch"]


def test_in_the_harsh_mode_what_is_new_is_missing_once(google: Clients) -> None:
    google.rehearsal.toughen()
    google.repository()
    name = f"{google.region}/repositories/app"
    with pytest.raises(api_errors.NotFound):
        google.artifacts.get_repository(name=name)
    assert google.artifacts.get_repository(name=name).name == name


def test_in_the_harsh_mode_forwarding_rules_have_both_spellings(google: Clients, tmp_path: Path) -> None:
    google.rehearsal.toughen()
    with pytest.raises(api_errors.NotFound):
        google.autopilot()
    api = Api(google, google.clusters.get_cluster(name=f"{google.region}/clusters/c"), tmp_path)
    for service in ("web", "other"):
        api.make(SERVICES, balanced(service))
        eventually(partial(api.address, service), "an address")
    keys = {next(iter(json.loads(rule["description"]))) for rule in rules(google)}
    assert keys == {"networking.gke.io/service-name", "kubernetes.io/service-name"}


def test_in_the_harsh_mode_the_first_node_comes_after_a_refusal(google: Clients, tmp_path: Path) -> None:
    google.rehearsal.toughen()
    with pytest.raises(api_errors.NotFound):
        google.autopilot()
    api = Api(google, google.clusters.get_cluster(name=f"{google.region}/clusters/c"), tmp_path)
    api.make(PODS, pod("nowhere/app:1"))

    def reasons() -> list[str] | None:
        events = api.ask("GET", "/api/v1/namespaces/default/events").json()["items"]
        known = [each["reason"] for each in events]
        return known if "Scheduled" in known else None

    order = eventually(reasons, "a node")
    assert {"FailedScheduling", "NotTriggerScaleUp", "TriggeredScaleUp"} <= set(order)
