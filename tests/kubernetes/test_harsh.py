"""The harsh mode of the rehearsed cluster, and what mldeploy makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.providers.kubernetes.api import CONFIG_MAP, NAMESPACE
from mldeploy.providers.kubernetes.documents import texts
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import namespace_manifest
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import ObjectKey
from tests.kubernetes.replay import Replay, replaying
from tests.kubernetes.stand_in import StandIn

MAPS = "/api/v1/namespaces/dx/configmaps"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app", "image": "x"}]}}


@pytest.fixture
def harsh(tmp_path: Path) -> Iterator[Replay]:
    with replaying(tmp_path / "cluster", harsh=True) as made:
        made.send("POST", "/api/v1/namespaces", {"metadata": {"name": "dx"}})
        made.send("POST", "/api/v1/namespaces/dx/serviceaccounts", {"metadata": {"name": "default"}})
        yield made


def test_the_first_merge_patch_of_an_object_conflicts(harsh: Replay) -> None:
    harsh.send("POST", MAPS, {"metadata": {"name": "c"}})
    patch = {"metadata": {"labels": {"a": "b"}}}
    answers = [
        harsh.send("PATCH", f"{MAPS}/c", patch, content_type="application/merge-patch+json").status for _ in range(2)
    ]
    assert answers == [409, 200]


def test_the_first_log_is_not_delivered(harsh: Replay) -> None:
    assert harsh.send("POST", "/api/v1/namespaces/dx/pods", POD).status == 201
    answers = [harsh.send("GET", "/api/v1/namespaces/dx/pods/p/log") for _ in range(2)]
    assert [each.status for each in answers] == [500, 400]  # the second one: the container has not started


def test_events_come_late() -> None:
    store, key = Store(late_seconds=0.05), ObjectKey(kinds.EVENTS, "dx", "e")
    before = store.version
    store.put_late(key, {"metadata": {"name": "e"}})
    assert store.get(key) is None
    while store.get(key) is None:
        store.wait(before, 1)


@pytest.mark.engine
def test_an_annotation_is_set_though_the_object_has_just_changed(quick: KubernetesRehearsal) -> None:
    stage = StandIn(provider, KubernetesSettings.model_validate({}), quick)
    stage.reset()
    kube = stage.kube
    kube.apply(namespace_manifest(Owner("app", "kubernetes"), "dx"))
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "dx"}})
    kube.annotate(CONFIG_MAP, "c", "dx", {"a": "b"})
    assert texts(kube.get(CONFIG_MAP, "c", "dx"), "metadata", "annotations")["a"] == "b"
    assert "openshift.io/sa.scc.uid-range" in texts(kube.get(NAMESPACE, "dx"), "metadata", "annotations")
