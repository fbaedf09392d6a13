"""Labels, identity, placement and hardware of the pods: what is written, refused, and taken away again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.core.verbs.look import Intent
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.documents import rows, table, text
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.render import render_manifests
from mldeploy.providers.kubernetes.manifests.workload import trial_pod_manifest
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes.kubelet.volumes import Node, register, schedule_pod
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object
from tests.cli.command import Command
from tests.kubernetes.harness import DeployHarness

PROJECT = load.named("insurance", "a test")
OWNER = Owner("insurance", "kubernetes")
IMAGE = "registry.example/insurance@sha256:" + "0" * 64
EVERYTHING: Mapping[str, object] = {
    "ingress": "ingress",
    "domain": "a.example.com",
    "max": 3,
    "labels": {"team": "risk", "example.com/cost-center": "4711"},
    "annotations": {"prometheus.io/scrape": "true"},
    "service_annotations": {"networking.gke.io/load-balancer-type": "Internal"},
    "ingress_annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "50m"},
    "service_account": "scorer",
    "env_secrets": ["database"],
    "env_config_maps": ["features"],
    "pull_secrets": ["mirror"],
    "gpu": 2,
    "node_selector": {"pool": "gpu"},
    "tolerations": ["nvidia.com/gpu=present:NoSchedule", "spot", "*"],
    "priority_class": "production",
    "spread": ["topology.kubernetes.io/zone"],
    "spread_policy": "require",
}


def rendered(values: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    made = render_manifests(OWNER, PROJECT, KubernetesSettings.model_validate(values), IMAGE, secrets=True)
    return {str(each["kind"]): each for each in made.documents}


@pytest.mark.parametrize("release", ["1.30", "1.37"])
def test_every_setting_arrives_in_a_valid_manifest(release: str) -> None:
    made = rendered(EVERYTHING)
    for each in made.values():
        kubernetes_validate.validate(dict(each), release, strict=True)
    template = table(made["Deployment"], "spec", "template")
    pod = table(template, "spec")
    (container,) = rows(pod, "containers")
    assert pod["serviceAccountName"] == "scorer"
    assert "automountServiceAccountToken" not in pod
    assert pod["imagePullSecrets"] == [{"name": "mirror"}]
    assert pod["priorityClassName"] == "production"
    assert table(pod, "nodeSelector").items() >= {("pool", "gpu"), ("kubernetes.io/os", "linux")}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
        {"operator": "Exists"},
    ]
    (spread,) = rows(pod, "topologySpreadConstraints")
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "DoNotSchedule")
    for amounts in ("requests", "limits"):
        assert text(container, "resources", amounts, "nvidia.com/gpu") == "2"
    sources = [next(iter(each)) for each in rows(container, "envFrom")]
    assert sources == ["configMapRef", "secretRef", "configMapRef"]  # the last one is that of PORT
    assert text(template, "metadata", "annotations", "prometheus.io/scrape") == "true"
    assert table(made["Service"], "metadata", "annotations") == EVERYTHING["service_annotations"]


def test_labels_are_on_every_object_of_the_app_but_not_on_its_namespace() -> None:
    made = rendered(EVERYTHING)
    for kind in ("Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert text(made[kind], "metadata", "labels", "team") == "risk"
        assert OWNER.owns(made[kind])
    assert text(made["Deployment"], "spec", "template", "metadata", "labels", "team") == "risk"
    assert "team" not in table(made["Namespace"], "metadata", "labels")


def test_a_trial_pod_has_the_labels_too_and_still_nothing_selects_it() -> None:
    desired = rendered(EVERYTHING)["Deployment"]
    pod = trial_pod_manifest(OWNER, desired, {"metadata": {"name": "insurance", "uid": "some-uid"}}, 60)
    labels = table(pod, "metadata", "labels")
    assert labels["team"] == "risk"
    assert not OWNER.selector.items() <= labels.items()


@pytest.mark.parametrize(
    "values",
    [
        {"labels": {"a b": "c"}},
        {"labels": {"a": "c d"}},
        {"labels": {"a": "x" * 64}},
        {"labels": {"Bad_/a": "c"}},
        {"labels": {f"{'a' * 254}/b": "c"}},
        {"labels": {"mldeploy.app": "other"}},
        {"labels": {"app.kubernetes.io/name": "other"}},
        {"annotations": {"a b": "c"}},
        {"annotations": {"a": "x" * (256 << 10)}},
        {"ingress_annotations": {"a b": "c"}},
        {"service_account": "Bad_"},
        {"env_secrets": ["a..b"]},
        {"env_config_maps": [""]},
        {"pull_secrets": ["Bad_"]},
        {"gpu": -1},
        {"gpu_resource": "gpu"},
        {"gpu_resource": "kubernetes.io/gpu"},
        {"node_selector": {"a": "c d"}},
        {"node_selector": {"kubernetes.io/arch": "arm64"}},
        {"tolerations": ["a:Never"]},
        {"tolerations": ["a b"]},
        {"priority_class": "Bad_"},
        {"spread": ["a b"]},
    ],
)
@pytest.mark.parametrize("model", [KubernetesSettings, GkeSettings])
def test_what_the_server_would_refuse_is_refused_in_the_settings(
    model: type[KubernetesSettings], values: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(values)


@pytest.mark.engine
def test_a_label_and_an_annotation_arrive_and_go_again(harness: DeployHarness) -> None:
    harness.deploy()
    harness.set(labels={"team": "risk"}, annotations={"a": "b"}, service_annotations={"c": "d"})
    harness.deploy()
    assert {each.intent for each in harness.plan().changes} == {Intent.UNCHANGED}
    assert metadata_of(harness, kinds.SERVICES)["annotations"] == {"c": "d"}
    assert metadata_of(harness, kinds.DEPLOYMENTS)["labels"]["team"] == "risk"
    assert harness.deployment["spec"]["template"]["metadata"]["annotations"] == {"a": "b"}
    harness.service.scale(2, harness.monitor)
    assert metadata_of(harness, kinds.DEPLOYMENTS)["labels"]["team"] == "risk"
    harness.set()
    drift = {reason for each in harness.plan().changes for reason in each.reasons}
    assert {"metadata.labels.team → none", "metadata.annotations → none"} <= drift
    harness.deploy()
    for kind in (kinds.DEPLOYMENTS, kinds.SERVICES, kinds.BUDGETS):
        assert "team" not in metadata_of(harness, kind)["labels"]
    assert "annotations" not in metadata_of(harness, kinds.SERVICES)
    assert {each.intent for each in harness.plan().changes} == {Intent.UNCHANGED}


def metadata_of(harness: DeployHarness, kind: kinds.ApiResource) -> Object:
    found: Object = harness.fake.find(kind, harness.app, harness.settings.space(harness.app))["metadata"]
    return found


@pytest.mark.parametrize(
    ("settings", "label"),
    [(KubernetesSettings, "nvidia.com/gpu.product"), (GkeSettings, "cloud.google.com/gke-accelerator")],
)
def test_a_type_of_gpu_chooses_the_nodes_and_tolerates_their_taint(
    settings: type[KubernetesSettings | GkeSettings], label: str
) -> None:
    chosen = settings.model_validate({"gpu": 1, "gpu_type": "nvidia-l4"})
    made = render_manifests(OWNER, PROJECT, chosen, IMAGE, secrets=False)
    deployment = next(each for each in made.documents if each["kind"] == "Deployment")
    pod = table(deployment, "spec", "template", "spec")
    assert table(pod, "nodeSelector")[label] == "nvidia-l4"
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_type_of_gpu_needs_their_number_and_no_other_label() -> None:
    for keys in (
        {"gpu_type": "nvidia-l4"},
        {"gpu": 1, "gpu_type": "nvidia-l4", "node_selector": {"nvidia.com/gpu.product": "Tesla-T4"}},
    ):
        with pytest.raises(ConfigError, match="gpu"):
            KubernetesSettings.model_validate(keys).check(PROJECT)


def test_image_and_pod_that_do_not_agree_on_a_gpu_are_named() -> None:
    for_gpu = replace(PROJECT, build=replace(PROJECT.build, gpu=True))
    with_gpu, without = (KubernetesSettings.model_validate({"gpu": count}) for count in (1, 0))
    assert any("CPU builds of PyTorch" in each for each in with_gpu.advise(PROJECT))
    assert any("none is requested" in each for each in without.advise(for_gpu))
    assert not any("GPU" in each for each in (*with_gpu.advise(for_gpu), *without.advise(PROJECT)))


def test_a_node_without_a_gpu_does_not_run_a_pod_that_requests_one() -> None:
    store = Store()
    register(store, [Node("n")])
    limits = {"nvidia.com/gpu": "1"}
    container = {"name": "app", "image": "x", "resources": {"limits": limits, "requests": limits}}
    node, why = schedule_pod(store, {"spec": {"containers": [container]}})
    assert node == ""
    assert why == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."


@pytest.mark.parametrize("target", ["kubernetes", "gke"])
def test_manifests_of_a_given_image_need_no_cluster_and_no_engine(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "mldeploy.toml").write_text('[app]\nname = "insurance"\nentry = "app:app"\nmodels = []\n')
    mldeploy = Command(tmp_path / "home", folder).with_env(
        KUBECONFIG=str(tmp_path / "none"), DOCKER_HOST="unix:///nonexistent.sock", GOOGLE_APPLICATION_CREDENTIALS=""
    )
    done = mldeploy("manifests", "--target", target, "--image", IMAGE)
    assert done.code == 0, done.err
    assert f"image: {IMAGE}" in done.out
