"""What is no proof on GKE yet: a node and a permission that come late. Both come within five minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mldeploy.config.load import named
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.documents import compare_manifest
from mldeploy.providers.kubernetes.running.patience import RolloutPatience
from mldeploy.providers.kubernetes.running.pods import parse_pod
from mldeploy.providers.kubernetes.running.verdict import PodEvent, PodEvidence, build_verdict, proves_failure

POD = parse_pod({"metadata": {"name": "app-1", "uid": "1"}, "status": {"phase": "Pending"}})
HOMELESS = replace(POD, unscheduled="no nodes available to schedule pods")
REJECTED = replace(
    POD,
    waiting="ImagePullBackOff",
    message='failed to resolve reference "r/app": pulling from host r failed with status code [manifests 1]: 403 '
    "Forbidden",
)
ABSENT = replace(POD, waiting="ImagePullBackOff", message="manifest unknown: not found")


def settings(**keys: object) -> GkeSettings:
    return GkeSettings.model_validate(keys)


def event(reason: str) -> PodEvent:
    return PodEvent("1", "app-1", reason, "", False, "")


@pytest.mark.parametrize("events", [(), (event("NotTriggerScaleUp"),)], ids=["no event yet", "refused for the moment"])
def test_the_first_node_of_autopilot_may_come_late(events: tuple[PodEvent, ...]) -> None:
    patience = settings().patience
    assert not proves_failure(HOMELESS, events, 60, patience)
    assert proves_failure(HOMELESS, events, 301, patience)
    assert not proves_failure(HOMELESS, (*events, event("TriggeredScaleUp")), 301, patience)


def test_nodes_of_ones_own_do_not_come_by_themselves() -> None:
    assert proves_failure(HOMELESS, (), 60, settings(nodes=2).patience)
    assert not proves_failure(HOMELESS, (), 60, settings(cluster="shared").patience)


def test_one_refusal_of_an_autoscaler_is_no_proof_in_any_cluster() -> None:
    events = (event("NotTriggerScaleUp"),)
    assert not proves_failure(HOMELESS, events, 0, RolloutPatience())
    assert proves_failure(HOMELESS, events, 60, RolloutPatience())


def test_a_permission_that_was_just_granted_may_come_late() -> None:
    assert not proves_failure(REJECTED, (), 60, settings().patience)
    assert proves_failure(REJECTED, (), 301, settings().patience)
    assert proves_failure(REJECTED, (), 0, settings(grant_pull=False).patience)
    assert proves_failure(REJECTED, (), 0, RolloutPatience())
    assert proves_failure(ABSENT, (), 0, settings().patience)


def test_who_is_rejected_is_told_the_role_and_not_docker_login() -> None:
    todo = settings().patience.access_todo
    verdict = build_verdict(named("insurance", "--app"), PodEvidence(REJECTED, access_todo=todo))
    assert "the registry rejects the cluster" in verdict.cause
    assert "roles/artifactregistry.reader" in str(verdict)
    assert "docker login" not in str(verdict)


def test_what_autopilot_appends_is_no_drift() -> None:
    desired = {"spec": {"securityContext": {"capabilities": {"drop": ["ALL"]}}, "tolerations": [{"key": "ours"}]}}
    appended = {
        "spec": {
            "securityContext": {"capabilities": {"drop": ["ALL", "NET_RAW"]}},
            "tolerations": [{"key": "ours"}, {"key": "kubernetes.io/arch", "value": "amd64"}],
        }
    }
    assert compare_manifest(desired, appended) == ()
    without = {"spec": {"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}, "tolerations": [{"key": "ours"}]}}
    assert compare_manifest(desired, without) == ("spec.securityContext.capabilities.drop: 0 → 1",)
