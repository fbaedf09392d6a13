"""Server-side apply: field managers, conflicts and force."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.kubernetes.cluster import APP, Cluster, deployment, rejected_call, service

IMAGE = "registry.invalid/app:1"


@pytest.fixture
def space(cluster: Cluster) -> Cluster:
    cluster.create_space()
    return cluster


def desired_deployment(replicas: int | None = 2, **container: Any) -> dict[str, Any]:
    made = deployment(IMAGE, **container)
    made["spec"]["replicas"] = replicas
    return {**made, "spec": {name: value for name, value in made["spec"].items() if value is not None}}


def settled(document: dict[str, Any]) -> dict[str, Any]:
    """The document without status, version and annotations."""
    content = {name: value for name, value in document.items() if name != "status"}
    metadata = {
        name: value for name, value in content["metadata"].items() if name not in ("resourceVersion", "annotations")
    }
    return {**content, "metadata": metadata}


@pytest.mark.parametrize(("kind", "document"), [("deployments", desired_deployment()), ("services", service())])
def test_the_same_again_changes_nothing(space: Cluster, kind: str, document: dict[str, Any]) -> None:
    first = space.apply(kind, document)
    again = space.apply(kind, document)
    for each in (first, again):
        each["metadata"].pop("finalizers", None)
    assert settled(again) == settled(first)
    assert [each["manager"] for each in again["metadata"]["managedFields"]] == ["us"]


def test_what_says_the_same_as_nothing_is_left_out_of_answers(space: Cluster) -> None:
    document = desired_deployment(stdin=False, env=[], lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    document["spec"] |= {"minReadySeconds": 0, "revisionHistoryLimit": 0}
    document["spec"]["template"]["spec"] |= {"hostNetwork": False, "nodeSelector": {}}
    made = space.apply("deployments", document)
    assert "minReadySeconds" not in made["spec"]
    assert made["spec"]["revisionHistoryLimit"] == 0
    inside = made["spec"]["template"]["spec"]
    assert not {"hostNetwork", "nodeSelector"} & inside.keys()
    assert not {"stdin", "env"} & inside["containers"][0].keys()
    again = space.apply("deployments", document)
    assert again["metadata"]["generation"] == 1


def test_a_field_of_another_is_not_taken(space: Cluster) -> None:
    space.apply("deployments", desired_deployment(2))
    refusal = rejected_call(lambda: space.apply("deployments", desired_deployment(5), "them"))
    assert (refusal.status, refusal.reason, refusal.causes) == (409, "Conflict", (".spec.replicas",))
    assert refusal.message == 'Apply failed with 1 conflict: conflict with "us": .spec.replicas'
    assert space.get("deployments")["spec"]["replicas"] == 2
    assert space.apply("deployments", desired_deployment(5), "them", force="true")["spec"]["replicas"] == 5


def test_the_same_value_can_have_two_managers(space: Cluster) -> None:
    space.apply("deployments", desired_deployment(2))
    space.apply("deployments", desired_deployment(2), "them")
    space.apply("deployments", desired_deployment(None))
    assert space.get("deployments")["spec"]["replicas"] == 2


def test_who_writes_otherwise_than_by_applying_owns_what_they_changed(space: Cluster) -> None:
    space.apply("deployments", desired_deployment(2))
    path = f"{space.path('deployments', APP)}"
    patch = {"spec": {"replicas": 4}}
    space.ask("PATCH", path, patch, "application/merge-patch+json", {"fieldManager": "kubectl"})
    refusal = rejected_call(lambda: space.apply("deployments", desired_deployment(2)))
    assert refusal.causes == (".spec.replicas",)
    assert 'conflict with "kubectl" using apps/v1' in refusal.message


def test_what_is_not_applied_any_more_is_taken_away(space: Cluster) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    space.apply("deployments", desired_deployment(env=variables))
    made = space.apply("deployments", desired_deployment(env=variables[1:]))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["env"] == variables[1:]


def test_what_was_filled_in_beside_a_field_goes_with_it(space: Cluster) -> None:
    space.apply("deployments", desired_deployment())
    made = space.apply("deployments", desired_deployment(readinessProbe={"tcpSocket": {"port": 1}}))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert "httpGet" not in container["readinessProbe"]


def test_a_dry_run_says_what_would_be_and_keeps_nothing(space: Cluster) -> None:
    space.apply("deployments", desired_deployment(2))
    would = space.apply("deployments", desired_deployment(3), dryRun="All")
    assert would["spec"]["replicas"] == 3
    assert space.get("deployments")["spec"]["replicas"] == 2


def test_an_unknown_field_is_refused_as_the_real_one_does_it(space: Cluster) -> None:
    odd = desired_deployment()
    odd["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    refusal = rejected_call(lambda: space.apply("deployments", odd))
    assert refusal.status == 500
    assert '.spec.template.spec.containers[name="app"].imag: field not declared in schema' in refusal.message


def test_nobody_applies_without_a_name(space: Cluster) -> None:
    path = space.path("deployments", APP)
    refusal = rejected_call(lambda: space.ask("PATCH", path, desired_deployment(), "application/apply-patch+yaml"))
    assert refusal.status == 422
    assert "fieldManager: Required value" in refusal.message
