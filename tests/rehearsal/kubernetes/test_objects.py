"""The API server completes, versions and validates objects as a real one does."""

from __future__ import annotations

import copy
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has none
import pytest

from tests.rehearsal.kubernetes.cluster import APP, SPACE, Cluster, Refusal, deployment, rejected_call, service

IMAGE = "registry.invalid/app:1"


@pytest.fixture
def space(cluster: Cluster) -> Cluster:
    cluster.create_space()
    return cluster


def test_a_stranger_is_told_nothing(cluster: Cluster) -> None:
    with Cluster.of(cluster.rehearsal, token="stolen") as stranger:
        assert rejected_call(lambda: stranger.ask("GET", "/api/v1/namespaces")) == Refusal(
            401, "Unauthorized", "Unauthorized", ()
        )


def test_what_is_created_is_completed_and_numbered(space: Cluster) -> None:
    made = space.create("deployments", deployment(IMAGE))
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["readinessProbe"]["failureThreshold"] == 3
    assert rejected_call(lambda: space.create("deployments", deployment(IMAGE))).reason == "AlreadyExists"


def test_a_stale_version_is_refused_and_nothing_is_changed(space: Cluster) -> None:
    first = space.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    space.ask("PUT", space.path("configmaps", "c"), {**first, "data": {"a": "2"}})
    refusal = rejected_call(lambda: space.ask("PUT", space.path("configmaps", "c"), {**first, "data": {"a": "3"}}))
    assert (refusal.status, refusal.reason) == (409, "Conflict")
    assert "the object has been modified" in refusal.message
    assert space.get("configmaps", "c")["data"] == {"a": "2"}


def test_three_kinds_of_patches(space: Cluster) -> None:
    space.create("deployments", deployment(IMAGE, env=[{"name": "A", "value": "1"}]))
    path = space.path("deployments", APP)
    more = {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "B", "value": "2"}]}]}}}}
    made = space.ask("PATCH", path, more, "application/strategic-merge-patch+json")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} == {"A", "B"}
    assert container["image"] == IMAGE
    made = space.ask("PATCH", path, {"metadata": {"labels": {"app": None}}}, "application/merge-patch+json")
    assert "labels" not in made["metadata"] or "app" not in made["metadata"]["labels"]
    replace = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert space.ask("PATCH", path, replace, "application/json-patch+json")["spec"]["replicas"] == 3


def test_a_secret_is_kept_coded(space: Cluster) -> None:
    made = space.create("secrets", {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    assert (made["type"], made["data"]) == ("Opaque", {"k": "dg=="})
    assert "stringData" not in made


def changed(path: str, value: Any) -> dict[str, Any]:
    """A Deployment of which one field is otherwise."""
    made = copy.deepcopy(deployment(IMAGE))
    *inner, last = path.split(".")
    target: Any = made
    for each in inner:
        target = target[int(each) if each.isdigit() else each]
    target[last] = value
    return made


CONTAINER = "spec.template.spec.containers.0"
WRONG = [
    ("metadata.name", "App!", "metadata.name"),
    ("spec.selector", {"matchLabels": {"app": "other"}}, "spec.template.metadata.labels"),
    (f"{CONTAINER}.image", "", "spec.template.spec.containers[0].image"),
    (f"{CONTAINER}.ports", [{"containerPort": 70000}], "spec.template.spec.containers[0].ports[0].containerPort"),
    (
        f"{CONTAINER}.volumeMounts",
        [{"name": "x", "mountPath": "/x"}],
        "spec.template.spec.containers[0].volumeMounts[0].name",
    ),
    (f"{CONTAINER}.readinessProbe", {}, "spec.template.spec.containers[0].readinessProbe"),
    (
        f"{CONTAINER}.lifecycle",
        {"preStop": {"sleep": {"seconds": 2}}},  # a Pod has one second to end
        "spec.template.spec.containers[0].lifecycle.preStop.sleep",
    ),
    (
        "spec.template.spec.activeDeadlineSeconds",
        5,
        "spec.template.spec.activeDeadlineSeconds",
    ),
    ("spec.replicas", -1, "spec.replicas"),
    ("spec.strategy", {"type": "Sudden"}, "spec.strategy"),
]


@pytest.mark.parametrize(("path", "value", "field"), WRONG)
def test_what_must_not_be_so_is_refused_by_its_field(space: Cluster, path: str, value: Any, field: str) -> None:
    refusal = rejected_call(lambda: space.create("deployments", changed(path, value)))
    assert (refusal.status, refusal.reason) == (422, "Invalid")
    assert field in refusal.causes
    assert space.list("deployments") == []


def test_an_unknown_field_is_refused_if_that_is_asked_for_and_else_left_out(space: Cluster) -> None:
    odd = changed("spec.replica", 3)
    strict = rejected_call(
        lambda: space.ask("POST", space.path("deployments"), odd, query={"fieldValidation": "Strict"})
    )
    assert (strict.status, strict.reason) == (400, "BadRequest")
    assert 'unknown field "spec.replica"' in strict.message
    assert "replica" not in space.create("deployments", odd)["spec"]


def test_a_value_of_the_wrong_type_is_refused(space: Cluster) -> None:
    refusal = rejected_call(lambda: space.create("deployments", changed("spec.replicas", "two")))
    assert refusal.status == 400
    assert "cannot unmarshal string" in refusal.message


def test_a_selector_cannot_be_changed(space: Cluster) -> None:
    space.create("deployments", deployment(IMAGE))
    other = changed("spec.selector", {"matchLabels": {"app": "b"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    refusal = rejected_call(lambda: space.ask("PUT", space.path("deployments", APP), other))
    assert "field is immutable" in refusal.message


def test_a_limit_of_a_pods_life_can_only_become_shorter(space: Cluster) -> None:
    spec = {"containers": [{"name": "app", "image": IMAGE}], "activeDeadlineSeconds": 500}
    space.create("pods", {"metadata": {"name": "p"}, "spec": spec})
    path, merge = space.path("pods", "p"), "application/merge-patch+json"
    for seconds in (600, None):
        longer = {"spec": {"activeDeadlineSeconds": seconds}}
        assert "spec.activeDeadlineSeconds" in rejected_call(lambda: space.ask("PATCH", path, longer, merge)).causes  # noqa: B023
    shorter = space.ask("PATCH", path, {"spec": {"activeDeadlineSeconds": 400}}, merge)
    assert shorter["spec"]["activeDeadlineSeconds"] == 400


def test_nothing_can_be_put_where_there_is_no_namespace(cluster: Cluster) -> None:
    refusal = rejected_call(lambda: cluster.create("configmaps", {"metadata": {"name": "c"}}))
    assert (refusal.status, refusal.message) == (404, f'namespaces "{SPACE}" not found')


@pytest.mark.parametrize("document", [deployment(IMAGE), service()])
def test_what_is_accepted_fits_the_published_schemas(space: Cluster, document: dict[str, Any]) -> None:
    kind = f"{document['kind'].lower()}s"
    space.create(kind, document)
    kubernetes_validate.validate(space.get(kind), "1.36", strict=True)


def test_what_every_cluster_has_is_not_counted(space: Cluster) -> None:
    space.create("configmaps", {"metadata": {"name": "c", "labels": {"x": "y"}}})
    contents = space.rehearsal.contents()
    assert [(each.kind, each.name) for each in contents] == [("configmaps", f"{SPACE}/c"), ("namespaces", SPACE)]
    assert contents[0].tags == {"x": "y"}
