"""What would be sent to a cluster: every manifest is as Kubernetes' published schemas want it, in their strict form."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.graph import steps_of
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.kubernetes.documents import compare_manifest, rows, table, text, texts
from mldeploy.providers.kubernetes.labels import Owner, cpu_quantity, memory_quantity
from mldeploy.providers.kubernetes.manifests.environment import ContainerEnvironment, config_map_name, secret_name
from mldeploy.providers.kubernetes.manifests.render import ingress_manifest, render_manifests, service_manifest
from mldeploy.providers.kubernetes.manifests.workload import trial_pod_manifest
from mldeploy.providers.kubernetes.permissions import build_policy
from mldeploy.providers.kubernetes.provider import KINDS, KubernetesProvider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes.objects.quantities import format_quantity

PROJECT = load.named("insurance", "a test")
OWNER = Owner("insurance", "kubernetes")
IMAGE = "registry.example/insurance@sha256:" + "0" * 64
ACCESS = RegistryAccess("registry.example", "ada", Secret("lovelace"))
WAYS: Mapping[str, dict[str, object]] = {
    "load-balancer": {},
    "cluster-ip": {"ingress": "cluster-ip", "instances": 3},
    "ingress": {
        "ingress": "ingress",
        "domain": "insurance.example.com",
        "ingress_class": "nginx",
        "tls_secret": "insurance-tls",
        "cluster_issuer": "letsencrypt",
    },
    "gateway": {"ingress": "gateway", "domain": "a.example.com", "gateway": "infra/public", "gateway_listener": "web"},
    "scaled": {"min": 2, "max": 5, "target_cpu": 60, "cpu_request": 0.5, "namespace": "models"},
}
RELEASES = ("1.30", "1.33", "1.37")


def settings(**values: object) -> KubernetesSettings:
    return KubernetesSettings.model_validate(values)


def told(**values: str) -> Project:
    env = tuple((name, Secret(value)) for name, value in sorted(values.items()))
    return replace(PROJECT, app=replace(PROJECT.app, env=env))


def documents(way: str) -> Iterator[dict[str, object]]:
    made = render_manifests(OWNER, told(KEY="value"), settings(**WAYS[way]), IMAGE, access=ACCESS, secrets=True)
    yield from map(dict, made.documents)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("way", WAYS)
def test_every_manifest_is_valid_in_the_strict_form(way: str, release: str) -> None:
    kinds = set()
    for each in documents(way):
        kinds.add(each["kind"])
        if each["kind"] != "HTTPRoute":  # an extension, of which the schemas of Kubernetes know nothing
            kubernetes_validate.validate(each, release, strict=True)
    assert {"Namespace", "ConfigMap", "Secret", "Deployment", "Service", "PodDisruptionBudget"} <= kinds


@pytest.mark.parametrize("way", WAYS)
def test_everything_bears_the_labels_of_its_owner(way: str) -> None:
    for each in documents(way):
        labels = table(each, "metadata", "labels")
        assert OWNER.owns(each)
        assert labels["app.kubernetes.io/name"] == "insurance"
        assert labels["app.kubernetes.io/managed-by"] == "mldeploy"


def test_the_policy_is_valid_in_the_strict_form() -> None:
    for each in rows(build_policy(OWNER, "insurance"), "items"):
        kubernetes_validate.validate(dict(each), "1.33", strict=True)


def tried(**values: str) -> tuple[dict[str, object], dict[str, object]]:
    """The Deployment of a version, and the pod in which it is tried."""
    made = render_manifests(OWNER, told(**values), settings(), IMAGE, access=ACCESS).documents
    expected = next(dict(each) for each in made if each["kind"] == "Deployment")
    serving = {**expected, "metadata": {"name": "insurance", "uid": "some-uid"}}
    return expected, dict(trial_pod_manifest(OWNER, expected, serving, 600))


@pytest.mark.parametrize("release", RELEASES)
def test_the_pod_of_a_trial_is_valid_in_the_strict_form(release: str) -> None:
    kubernetes_validate.validate(tried(KEY="value")[1], release, strict=True)


def test_the_pod_of_a_trial_is_the_templates_and_goes_with_the_deployment() -> None:
    expected, pod = tried(KEY="value")
    assert table(pod, "spec") == {
        **table(expected, "spec", "template", "spec"),
        "restartPolicy": "Always",
        "activeDeadlineSeconds": 600,
    }
    (owner,) = rows(pod, "metadata", "ownerReferences")
    assert (owner["kind"], owner["uid"]) == ("Deployment", "some-uid")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_selects_the_apps_pods_selects_that_of_a_trial(way: str) -> None:
    labels = table(tried()[1], "metadata", "labels").items()
    assert OWNER.owns({"metadata": {"labels": dict(labels)}})
    assert not OWNER.selector.items() <= labels
    selectors = [OWNER.selector]
    for each in documents(way):
        selectors += [texts(each, "spec", "selector")] if each["kind"] == "Service" else []
        selectors += [result] if (result := texts(each, "spec", "selector", "matchLabels")) else []
    assert len(selectors) == 4
    assert not any(each.items() <= labels for each in selectors)


def test_the_pod_has_no_privileges_and_the_limits_of_the_app() -> None:
    (result,) = (each for each in documents("load-balancer") if each["kind"] == "Deployment")
    pod = table(result, "spec", "template", "spec")
    (container,) = rows(pod, "containers")
    assert text(container, "image") == IMAGE
    assert table(pod, "securityContext") == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert table(container, "securityContext") == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert text(container, "resources", "limits", "memory") == memory_quantity(PROJECT.app.memory)
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_an_app_that_writes_or_brings_its_own_user_keeps_that() -> None:
    own = replace(
        PROJECT,
        app=replace(PROJECT.app, read_only=False),
        build=replace(PROJECT.build, dockerfile="Dockerfile"),
    )
    result = next(
        each for each in render_manifests(OWNER, own, settings(), IMAGE).documents if each["kind"] == "Deployment"
    )
    pod = table(result, "spec", "template", "spec")
    assert "volumes" not in pod
    assert "runAsUser" not in table(pod, "securityContext")
    assert table(pod, "securityContext")["runAsNonRoot"] is True


def test_secrets_are_left_out_and_named_unless_they_are_asked_for() -> None:
    secret = "a-very-secret-value"
    hidden = render_manifests(OWNER, told(API_KEY=secret), settings(), IMAGE, access=ACCESS)
    coded = base64.b64encode(secret.encode()).decode()
    assert coded not in json.dumps([dict(each) for each in hidden.documents])
    assert [each.split()[0] for each in hidden.left_out] == ["Secret", "Secret"]
    shown = render_manifests(OWNER, told(API_KEY=secret), settings(), IMAGE, secrets=True)
    assert coded in json.dumps([dict(each) for each in shown.documents])


def test_another_value_is_another_secret_and_so_another_pod() -> None:
    one, same, other = (ContainerEnvironment.of(told(KEY=value).app) for value in ("a", "a", "b"))
    assert secret_name(OWNER, one) == secret_name(OWNER, same) != secret_name(OWNER, other)
    assert config_map_name(OWNER, one) == config_map_name(OWNER, other)


def test_the_port_is_told_by_us_alone() -> None:
    environment = ContainerEnvironment.of(told(PORT="1", OTHER="2").app)
    assert dict(environment.open) == {"PORT": str(PROJECT.app.port)}
    assert [name for name, _ in environment.secret] == ["OTHER"]


@given(st.floats(0.001, 64))
def test_cpus_are_written_as_the_server_writes_them(count: float) -> None:
    assert format_quantity(cpu_quantity(count)) == cpu_quantity(count)


@given(st.integers(6 << 20, 1 << 45))
def test_sizes_are_written_as_the_server_writes_them(count: int) -> None:
    assert format_quantity(memory_quantity(count)) == memory_quantity(count)


@pytest.mark.parametrize(
    ("values", "key", "output"),
    [
        ({"min": 2}, "min", "needs `max`"),
        ({"min": 3, "max": 2}, "min", "more than"),
        ({"instances": 1, "max": 2}, "instances", "contradict"),
        ({"ingress": "ingress"}, "domain", "is missing"),
        ({"domain": "a.example.com"}, "domain", "needs ingress"),
        ({"ingress": "gateway", "domain": "a.example.com"}, "gateway", "is missing"),
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, object], key: str, output: str) -> None:
    with pytest.raises(ConfigError) as caught:
        KubernetesProvider().goal(PROJECT, settings(**values))
    assert caught.value.where == f"target.kubernetes.{key}"
    assert output in caught.value.what


def test_a_variable_that_no_secret_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a valid variable name"):
        KubernetesProvider().goal(told(**{"WITH/SLASH": "1"}), settings())


def test_every_step_can_be_undone_from_a_journal_and_goes_before_what_it_needs() -> None:
    goal = KubernetesProvider().goal(told(KEY="1"), settings(ingress="ingress", domain="a.example.com", max=2))
    assert {step.kind for step in steps_of(goal)} <= KINDS.keys()
    needed = needed_kinds(KINDS)
    assert "kubernetes-service" in needed["kubernetes-ingress"]
    assert "kubernetes-deployment" in needed["kubernetes-autoscaler"]
    for kind in ("config-map", "secret", "service", "deployment", "ingress", "disruption-budget", "pull-secret"):
        assert "kubernetes-namespace" in needed[f"kubernetes-{kind}"]


def test_differences_name_the_field_and_no_value_of_a_secret() -> None:
    expected = {"kind": "Secret", "data": {"KEY": "b"}, "spec": {"containers": [{"name": "app", "image": "new"}]}}
    result = {"data": {"KEY": "a"}, "spec": {"containers": [{"name": "app", "image": "old", "more": 1}]}, "more": 1}
    assert compare_manifest(expected, result) == (
        "data → that of this configuration",
        "spec.containers[app].image old → new",
    )
    assert compare_manifest(result, result) == ()


def test_what_only_looks_reads_no_file(tmp_path: Path) -> None:
    """Building the graph is pure: it works for an app whose folder is gone."""
    gone = replace(PROJECT, app=replace(PROJECT.app, folder=tmp_path / "gone"))
    assert steps_of(KubernetesProvider().goal(gone, settings()))


def pod_context(project: Project) -> dict[str, object]:
    made = render_manifests(OWNER, project, settings(), IMAGE, access=ACCESS, secrets=True)
    (result,) = (each for each in made.documents if each["kind"] == "Deployment")
    kubernetes_validate.validate(result, RELEASES[0], strict=True)
    return dict(table(result, "spec", "template", "spec", "securityContext"))


def test_a_low_port_is_permitted_to_a_user_other_than_root() -> None:
    assert "sysctls" not in pod_context(PROJECT)
    low = pod_context(replace(PROJECT, app=replace(PROJECT.app, port=80)))
    assert low["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]


def test_a_visitor_of_an_app_with_sessions_reaches_one_pod() -> None:
    routed = settings(ingress="ingress", domain="a.example.com", ingress_annotations={"a/b": "c"})
    assert "sessionAffinity" not in table(service_manifest(OWNER, "n", routed), "spec")
    assert text(service_manifest(OWNER, "n", routed, sticky=True), "spec", "sessionAffinity") == "ClientIP"
    notes = table(ingress_manifest(OWNER, "n", routed, sticky=True), "metadata", "annotations")
    assert notes == {"nginx.ingress.kubernetes.io/affinity": "cookie", "a/b": "c"}
    assert replace(PROJECT.app, command=("streamlit", "run", "page.py")).keeps_sessions
    assert not replace(PROJECT.app, command=("gunicorn", "app:app")).keeps_sessions


def test_what_an_ingress_and_a_disk_do_otherwise_is_said_before() -> None:
    writing = replace(PROJECT, app=replace(PROJECT.app, read_only=False))
    advice = " ".join(settings(ingress="ingress", domain="a.example.com").advise(writing))
    assert "proxy-body-size" in advice
    assert "lost with the instance" in advice
    assert settings().advise(PROJECT) == ()
