"""What the doctor finds in a cluster."""

from __future__ import annotations

from mldeploy.config import load
from mldeploy.core.findings import Level
from mldeploy.providers.kubernetes.checks import check_cluster
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from tests.kubernetes.fake.server import FakeCluster

PROJECT = load.named("insurance", "a test")
OWNER = Owner("insurance", "kubernetes")


def found(fake: FakeCluster, **values: object) -> dict[str, tuple[Level, str]]:
    settings = KubernetesSettings.model_validate(values)
    looked = check_cluster(authenticate("", fake.endpoints).kube, PROJECT, settings, OWNER)
    return {each.subject: (each.level, each.what) for each in looked}


def test_a_cluster_that_lets_us_do_everything_is_well(fake: FakeCluster) -> None:
    seen = found(fake)
    assert {level for level, _ in seen.values()} == {Level.OK}
    assert "v1.33.0-fake" in seen["cluster"][1]


def test_autoscaling_without_metrics_is_warned_of(fake: FakeCluster) -> None:
    assert found(fake, max=2)["metrics"][0] is Level.WARNING


def test_a_token_that_is_not_accepted_is_said(fake: FakeCluster) -> None:
    fake.tokens.clear()
    level, what = found(fake)["cluster"]
    assert level is Level.ERROR
    assert "rejects the credentials" in what
