"""Repositories of Artifact Registry, and Container Registry's old names."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions as api
from google.cloud import artifactregistry_v1 as ar
from google.iam.v1 import policy_pb2
from google.protobuf import duration_pb2, field_mask_pb2

from tests.rehearsal.gcp.clients import Clients


def test_a_repository_is_made_described_and_removed(google: Clients) -> None:
    made = google.repository(labels={"a": "b"}, description="d")
    assert made.name == f"{google.region}/repositories/app"
    assert made.registry_uri == f"{google.rehearsal.record.registry}/{google.project}/app"
    repo = google.artifacts.get_repository(name=made.name)
    assert (dict(repo.labels), repo.description, repo.mode.name) == (
        {"a": "b"},
        "d",
        "STANDARD_REPOSITORY",
    )
    assert [each.name for each in google.artifacts.list_repositories(parent=google.region)] == [made.name]
    google.artifacts.delete_repository(name=made.name).result(timeout=300)
    with pytest.raises(api.NotFound, match="Requested entity was not found"):
        google.artifacts.get_repository(name=made.name)
    assert google.rehearsal.contents() == ()


def test_a_second_one_of_the_same_name_is_refused(google: Clients) -> None:
    google.repository()
    with pytest.raises(api.Conflict, match="the repository already exists"):
        google.repository()


def test_a_number_names_the_project_too(google: Clients) -> None:
    google.repository()
    number = google.compute("").json()["defaultServiceAccount"].partition("-")[0]
    repository = google.artifacts.get_repository(name=f"projects/{number}/locations/us-central1/repositories/app")
    assert repository.name == f"{google.region}/repositories/app"


@pytest.mark.parametrize(
    ("location", "name", "more", "why"),
    [
        ("us-central1", "Upper", {}, "must match"),
        ("us-central1", "gcr.io", {}, "can only be created in location us"),
        ("us", "eu.gcr.io", {}, "can only be created in location europe"),
        ("mars", "app", {}, "is not supported"),
        ("us-central1", "app", {"labels": {"App": "x"}}, "label key"),
        ("us-central1", "app", {"labels": {"app": "X"}}, "label value"),
        ("us-central1", "app", {"format_": "FORMAT_UNSPECIFIED"}, "format is required"),
        ("us-central1", "app", {"cleanup_policies": {"k": ar.CleanupPolicy(id="other", action="KEEP")}}, "as its id"),
        ("us-central1", "app", {"cleanup_policies": {"k": ar.CleanupPolicy(id="k", action="KEEP")}}, "either"),
    ],
)
def test_what_cannot_be_a_repository_is_refused(
    google: Clients, location: str, name: str, more: dict[str, Any], why: str
) -> None:
    parent = f"projects/{google.project}/locations/{location}"
    made = ar.Repository(**{"format_": "DOCKER", **more})
    with pytest.raises(api.InvalidArgument, match=why):
        google.artifacts.create_repository(parent=parent, repository_id=name, repository=made)


def test_an_old_name_is_served_from_its_continent(google: Clients) -> None:
    parent = f"projects/{google.project}/locations/us"
    made = ar.Repository(format_="DOCKER")
    repository = google.artifacts.create_repository(parent=parent, repository_id="gcr.io", repository=made).result(
        timeout=300
    )
    assert repository.registry_uri.endswith(f"/{google.project}/gcr.io")


def test_what_an_update_names_is_changed_and_nothing_else(google: Clients) -> None:
    name = google.repository(labels={"a": "b"}, description="d").name
    month = ar.CleanupPolicyCondition(older_than=duration_pb2.Duration(seconds=2592000))
    policy = ar.CleanupPolicy(id="old", action=ar.CleanupPolicy.Action.DELETE, condition=month)
    changed = ar.Repository(name=name, cleanup_policies={"old": policy}, description="ignored")
    google.artifacts.update_repository(
        repository=changed, update_mask=field_mask_pb2.FieldMask(paths=["cleanup_policies"])
    )
    repo = google.artifacts.get_repository(name=name)
    assert (list(repo.cleanup_policies), repo.description, dict(repo.labels)) == (
        ["old"],
        "d",
        {"a": "b"},
    )
    with pytest.raises(api.InvalidArgument, match="cannot be updated"):
        google.artifacts.update_repository(repository=changed, update_mask=field_mask_pb2.FieldMask(paths=["format"]))


def test_a_policy_that_was_changed_meanwhile_is_not_overwritten(google: Clients) -> None:
    name = google.repository().name
    read = google.artifacts.get_iam_policy(request={"resource": name})
    mine = policy_pb2.Policy(etag=read.etag)
    mine.bindings.append(policy_pb2.Binding(role="roles/artifactregistry.reader", members=["serviceAccount:a@b.c"]))
    written = google.artifacts.set_iam_policy(request={"resource": name, "policy": mine})
    assert google.artifacts.get_iam_policy(request={"resource": name}) == written
    with pytest.raises(api.Aborted, match="concurrent policy changes"):
        google.artifacts.set_iam_policy(request={"resource": name, "policy": policy_pb2.Policy(etag=b"stale")})
