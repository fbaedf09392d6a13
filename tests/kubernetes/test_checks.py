"""What the doctor finds in a cluster."""

from __future__ import annotations

from mldeploy.config import load
from mldeploy.core.findings import Level
from mldeploy.providers.kubernetes.checks import in_cluster_look
from mldeploy.providers.kubernetes.kubeconfig import enter
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from tests.kubernetes.paper.server import Paper

PROJECT = load.named("insurance", "a test")
OWNER = Owner("insurance", "kubernetes")


def found(paper: Paper, **values: object) -> dict[str, tuple[Level, str]]:
    settings = KubernetesSettings.model_validate(values)
    looked = in_cluster_look(enter("", paper.endpoints).kube, PROJECT, settings, OWNER)
    return {each.subject: (each.level, each.what) for each in looked}


def test_a_cluster_that_lets_us_do_everything_is_well(paper: Paper) -> None:
    seen = found(paper)
    assert {level for level, _ in seen.values()} == {Level.OK}
    assert "v1.33.0-paper" in seen["cluster"][1]


def test_autoscaling_without_metrics_is_warned_of(paper: Paper) -> None:
    assert found(paper, max=2)["metrics"][0] is Level.WARNING


def test_a_token_that_is_not_accepted_is_said(paper: Paper) -> None:
    paper.tokens.clear()
    level, what = found(paper)["cluster"]
    assert level is Level.ERROR
    assert "does not accept the credentials" in what
