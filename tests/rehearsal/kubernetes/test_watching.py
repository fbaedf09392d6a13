"""Watches tell every change, end when their time is over, and say so when they are too late."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from tests.rehearsal.kubernetes.cluster import SPACE, Cluster


@pytest.fixture
def space(cluster: Cluster) -> Cluster:
    cluster.create_space()
    return cluster


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def read_events(space: Cluster, **query: Any) -> Iterator[tuple[str, str]]:
    """The kinds of the events that come, and of what they are."""
    core = client.CoreV1Api(space.api)
    for event in watch.Watch().stream(core.list_namespaced_config_map, SPACE, **query):
        yield event["type"], event["object"].metadata.name


def test_changes_are_told_in_their_order_from_a_version_on(space: Cluster) -> None:
    space.create("configmaps", config_map("early"))
    version = space.ask("GET", space.path("configmaps"))["metadata"]["resourceVersion"]
    space.create("configmaps", config_map("a"))
    space.ask("PATCH", space.path("configmaps", "a"), {"data": {"x": "y"}}, "application/merge-patch+json")
    space.delete("configmaps", "a")
    received = list(read_events(space, resource_version=version, timeout_seconds=1))
    assert received == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_what_begins_or_ceases_to_fit_comes_and_goes(space: Cluster) -> None:
    version = space.ask("GET", space.path("configmaps"))["metadata"]["resourceVersion"]
    space.create("configmaps", config_map("a", app="x"))
    space.create("configmaps", config_map("b", app="other"))
    for label in ("other", "x"):
        patch = {"metadata": {"labels": {"app": label}}}
        space.ask("PATCH", space.path("configmaps", "a"), patch, "application/merge-patch+json")
    received = list(read_events(space, label_selector="app=x", resource_version=version, timeout_seconds=1))
    assert received == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def test_a_watch_from_a_version_that_is_forgotten_is_told_to_begin_anew(space: Cluster) -> None:
    version = space.ask("GET", space.path("configmaps"))["metadata"]["resourceVersion"]
    space.rehearsal.expire()
    with pytest.raises(ApiException) as expired:
        list(read_events(space, resource_version=version, timeout_seconds=60))
    assert expired.value.status == 410


def test_a_watch_that_runs_ends_when_all_is_forgotten(space: Cluster) -> None:
    version = space.ask("GET", space.path("configmaps"))["metadata"]["resourceVersion"]
    ended: list[int] = []

    def look() -> None:
        try:
            list(read_events(space, resource_version=version, timeout_seconds=600))
        except ApiException as error:
            ended.append(error.status)

    thread = threading.Thread(target=look)
    thread.start()
    while not any(call.action == "watch configmaps" for call in space.rehearsal.calls()):
        time.sleep(0.02)
    space.rehearsal.expire()
    thread.join()
    assert ended == [410]


def test_an_api_server_that_restarts_breaks_its_connections_and_comes_back(space: Cluster) -> None:
    version = space.ask("GET", space.path("configmaps"))["metadata"]["resourceVersion"]
    space.create("configmaps", config_map("before"))
    broken: list[Exception] = []
    begun = threading.Event()

    def look() -> None:
        try:
            for _ in read_events(space, resource_version=version, timeout_seconds=600):
                begun.set()  # what has begun is not tried again
        except Exception as error:  # noqa: BLE001 - whatever the client makes of it
            broken.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    assert begun.wait(300)
    space.rehearsal.restart(1.0)
    thread.join()
    assert broken
    began = time.monotonic()
    while True:
        try:
            space.create("configmaps", config_map("after"))
            break
        except Exception:  # noqa: BLE001 - it is not back yet
            assert time.monotonic() < began + 300
            time.sleep(0.1)
    assert space.get("configmaps", "after")
