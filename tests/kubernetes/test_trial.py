"""A golden row in a cluster: a new version answers it in a pod of its own before anything of it is rolled out."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from mldeploy.app.causes import About
from mldeploy.core.errors import ExitCode, InterruptedByUser, RefusedError
from mldeploy.core.events import Event
from mldeploy.core.monitor import Cancel
from mldeploy.providers.kubernetes.errors import KubernetesDeniedError, KubernetesError
from mldeploy.providers.kubernetes.steps.trial import TRIAL_PROGRESS
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gateway.faults import FaultOrder as Order
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import Object
from mldeploy.rehearsal.kubernetes.objects.types import ObjectKey as Place
from tests.kubernetes.fake.fate import WELL, Fate
from tests.kubernetes.fates import FATES, SLOW
from tests.kubernetes.harness import DeployHarness

pytestmark = pytest.mark.engine

STARTS = Fate(serves=False)
FEW = ("not in the registry", "crashes", "over quota", "unhealthy")
EXHAUSTIVE = pytest.mark.exhaustive


def pods(harness: DeployHarness) -> list[str]:
    """What all pods are called."""
    return [each["metadata"]["name"] for each in harness.fake.store.list(kinds.PODS)]


def trial(harness: DeployHarness) -> str:
    return f"{harness.app}-trial"


def serving(harness: DeployHarness) -> Object:
    """What a rollout would change."""
    result = harness.deployment
    return {"generation": result["metadata"]["generation"], "spec": result["spec"]}


def calls(harness: DeployHarness, *actions: str) -> list[str]:
    """Those of these actions, in their order."""
    return [call.action for call in harness.fake.call_log.calls if call.action in actions]


@pytest.fixture
def second(harness: DeployHarness) -> DeployHarness:
    """One version serves, and has answered the golden row; another is to come."""
    harness.expect([1])
    harness.deploy()
    harness.tell(VERSION="2")
    return harness


def test_a_version_that_answers_as_it_should_is_tried_first_and_then_rolled_out(second: DeployHarness) -> None:
    before = calls(second, "patch deployments.apps", "patch pods", "delete pods")
    assert before == ["patch deployments.apps"]
    second.deploy()
    after = calls(second, "patch deployments.apps", "patch pods", "delete pods")
    assert after == [*before, "patch pods", "delete pods", "patch deployments.apps"]
    assert trial(second) not in pods(second)
    assert [each.state for each in second.service.releases()] == ["serving", "old"]


def test_a_version_that_answers_otherwise_is_never_rolled_out(second: DeployHarness) -> None:
    before = serving(second)
    second.fake.app.prediction = [2]
    verdict = second.fail()
    assert "golden row differs" in str(verdict)
    assert verdict.about is About.GOLDEN
    assert verdict.exit_code is ExitCode.FAILED
    assert serving(second) == before
    assert trial(second) not in pods(second)
    assert [each.state for each in second.service.releases()] == ["serving"]
    assert any("Nothing was rolled out" in each for each in second.notes)
    second.fake.app.prediction = [1]
    second.deploy()
    assert [each.state for each in second.service.releases()] == ["serving", "old"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FEW else EXHAUSTIVE) for name in FATES])
def test_a_version_that_cannot_serve_gets_its_verdict_in_the_trial(second: DeployHarness, name: str) -> None:
    fate, said = FATES[name]
    second.set(**({"rollout_timeout": 10} if name in SLOW else {}))
    before = serving(second)
    second.fake.controllers.fate = fate
    verdict = second.fail()
    for each in said:
        assert each in str(verdict)
    assert verdict.where == f"pod {trial(second)}"
    assert serving(second) == before
    assert len(pods(second)) == 1
    assert [each.state for each in second.service.releases()] == ["serving"]


def test_a_previous_version_that_ends_meanwhile_is_not_said_to_serve(second: DeployHarness) -> None:
    crash = lambda: second.fake.controllers.change(FATES["crashes"][0])  # noqa: E731 - for readability
    with second.meanwhile(crash, after=TRIAL_PROGRESS) as hear:
        notes: list[str] = []

        def note(event: Event) -> None:
            notes.append(str(event))
            hear(event)

        second.refused(note)
    assert any("no pod of the previous version is available either" in each for each in notes)
    assert not any("still serves" in each for each in notes)


def test_a_first_version_needs_no_trial(harness: DeployHarness) -> None:
    harness.expect([1])
    harness.fake.app.prediction = [2]
    assert "golden row differs" in str(harness.fail())
    assert calls(harness, "patch pods") == []
    assert harness.deployment["spec"].get("minReadySeconds", 0) == 0


def test_what_was_stopped_starts_without_a_trial(second: DeployHarness) -> None:
    second.service.stop()
    second.deploy()
    assert calls(second, "patch pods") == []
    assert second.ready == 1


def test_other_numbers_of_the_same_pods_need_no_trial(harness: DeployHarness) -> None:
    harness.expect([1])
    harness.deploy()
    harness.set(instances=3)
    harness.deploy()
    assert calls(harness, "patch pods") == []
    assert harness.ready == 3


def test_a_part_of_the_pods_that_goes_is_tried_as_well(second: DeployHarness) -> None:
    """What is no longer said is no difference to be seen in what is there."""
    second.deploy()
    tried = calls(second, "patch pods")
    app = second.project.app
    second.project = replace(second.project, app=replace(app, read_only=not app.read_only))
    second.deploy()
    assert calls(second, "patch pods") == [*tried, "patch pods"]


def test_without_rollback_the_pod_stays_to_be_looked_at_and_is_no_copy_of_the_app(second: DeployHarness) -> None:
    second.set(rollback=False)
    second.fake.controllers.fate = FATES["crashes"][0]
    before = serving(second)
    second.fail()
    assert trial(second) in pods(second)
    assert any(f"kubectl logs -n {second.app} {trial(second)}" in each for each in second.notes)
    assert serving(second) == before
    assert second.ready == len(second.service.instances()) == 1
    assert all(trial(second) not in line for line in second.service.logs(follow=False, tail=0))
    second.fake.controllers.fate = WELL
    second.deploy()
    assert trial(second) not in pods(second)


def test_what_a_trial_has_left_is_seen_and_removed_though_nothing_else_has_changed(second: DeployHarness) -> None:
    first = second.project
    second.set(rollback=False)
    second.fake.controllers.fate = FATES["crashes"][0]
    second.tell(VERSION="3")
    second.fail()
    second.fake.controllers.fate = WELL
    second.project = first
    second.deploy()
    assert trial(second) not in pods(second)
    assert second.plan().is_noop


def test_what_a_trial_has_left_is_destroyed_with_the_app(second: DeployHarness) -> None:
    second.set(rollback=False)
    second.fake.controllers.fate = FATES["crashes"][0]
    second.fail()
    second.destroy()
    assert pods(second) == []
    assert second.fake.store.get(Place(kinds.NAMESPACES, "", second.app)) is None


def test_a_pod_of_a_trial_alone_is_found(second: DeployHarness) -> None:
    """Somebody has deleted the Deployment, and nothing else."""
    second.set(rollback=False)
    second.fake.controllers.fate = FATES["crashes"][0]
    second.fail()
    key = Place(kinds.PODS, second.app, trial(second))
    second.fake.store.edit(key, lambda it: it["metadata"].pop("ownerReferences"))
    second.fake.store.remove(Place(kinds.DEPLOYMENTS, second.app, second.app))
    removed = second.destroy().removed
    assert "kubernetes-deployment" in {each.kind for each in removed}
    assert trial(second) not in pods(second)


def test_somebody_elses_pod_of_that_name_is_left_alone(second: DeployHarness) -> None:
    theirs = stranger(second)
    before = serving(second)
    error = second.refused()
    assert isinstance(error, RefusedError)
    assert trial(second) in str(error)
    assert serving(second) == before
    second.destroy()
    key = Place(kinds.PODS, second.app, trial(second))
    assert (second.fake.store.get(key) or {})["metadata"]["uid"] == theirs["metadata"]["uid"]


def stranger(harness: DeployHarness) -> Object:
    """It bears no label of ours."""
    pod = next(iter(harness.fake.store.list(kinds.PODS)))
    metadata = {"name": trial(harness), "namespace": harness.app, "labels": {"app": "theirs"}}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(pod["spec"])}
    return harness.fake.put(made)


def test_a_stop_in_a_trial_leaves_no_pod(second: DeployHarness) -> None:
    before, cancel = serving(second), Cancel()
    second.fake.controllers.fate = STARTS
    with second.meanwhile(cancel.request, after="its pod is") as events, pytest.raises(InterruptedByUser):
        second.deploy(events, cancel)
    assert trial(second) not in pods(second)
    assert serving(second) == before


def test_a_pod_that_is_deleted_says_nothing_of_the_version(second: DeployHarness) -> None:
    before = serving(second)
    second.fake.controllers.fate = STARTS

    def take() -> None:
        second.fake.store.remove(Place(kinds.PODS, second.app, trial(second)))

    with (
        second.meanwhile(take, after="its pod is") as events,
        pytest.raises(Exception, match="was deleted during the trial") as caught,
    ):
        second.deploy(events)
    (error,) = (each for _, each in caught.value.failures)  # type: ignore[attr-defined]  # that of a deployment
    assert isinstance(error, KubernetesError)
    assert serving(second) == before


@pytest.mark.parametrize("action", ["patch pods", "get pods/portforward", "delete pods"])
def test_a_permission_that_is_missing_is_named_and_nothing_is_rolled_out(second: DeployHarness, action: str) -> None:
    before = serving(second)
    second.fake.call_log.faults.add(Order(FaultKind.DENIED, action, times=0))
    error = second.refused()
    assert isinstance(error, KubernetesDeniedError)
    assert action in str(error)
    assert serving(second) == before
    second.fake.call_log.faults.clear()
    second.deploy()
    assert trial(second) not in pods(second)


def test_the_way_to_the_pod_may_break_once(second: DeployHarness) -> None:
    second.fake.call_log.faults.add(Order(FaultKind.CUT_BEFORE, "get pods/portforward"))
    second.deploy()
    assert second.ready == 1
