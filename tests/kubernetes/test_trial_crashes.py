"""A command that is killed while a new version is tried: nothing of the trial outlives the next command."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mldeploy.providers.kubernetes.api import DEPLOYMENT, POD
from mldeploy.providers.kubernetes.documents import name_of, number
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.matrix import CRASHES, HELD_SECONDS, LOOK_SECONDS, PASSING, assert_same
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import Fault, FaultRule
from tests.kubernetes.stand_in import StandIn
from tests.tiny import project_of

pytestmark = pytest.mark.engine

ACTIONS = ("patch pods", "get pods/portforward", "delete pods")
"""What a trial asks of the cluster: a pod, its answer, its end."""


@dataclass(frozen=True)
class Second:
    """A version that serves, and the scene in which another comes. foreign: what is there without us."""

    stage: StandIn
    scene: DeploymentUnderTest
    foreign: Counter[str]

    @property
    def app(self) -> str:
        return self.scene.project.app.name

    @property
    def pods(self) -> list[str]:
        return [name_of(each) for each in self.stage.kube.list(POD, self.app).items]

    @property
    def generation(self) -> int:
        return number(self.stage.kube.get(DEPLOYMENT, self.app, self.app), "metadata", "generation")

    def kill(self, action: str, blow: Fault) -> None:
        """Deploy it, and die while that call is on its way."""
        self.stage.order(FaultRule(action, blow))
        process = self.scene.start(DeploymentUnderTest.deploy)
        try:
            while not self.stage.struck(within=LOOK_SECONDS):
                assert process.is_alive(), f"the command ended ({process.exitcode}) before that call came"
        finally:
            process.kill()
            process.join()
            self.stage.clear_faults()

    def deploy(self) -> None:
        """It resumes: the version is tried again, and serves."""
        before = self.generation
        self.scene.deploy()
        assert self.generation == before + 1
        assert f"{self.app}-trial" not in self.pods
        self.destroy()

    def destroy(self) -> None:
        self.scene.destroy()
        assert self.pods == []
        assert_same(self.stage.contents(), self.foreign, "after destroying")
        assert not self.scene.journals


THEN: Mapping[str, Callable[[Second], None]] = {"deploy": Second.deploy, "destroy": Second.destroy}


@pytest.fixture
def second(quick: KubernetesRehearsal, tiny: Path, tmp_path: Path) -> Second:
    stage = StandIn(provider, KubernetesSettings.model_validate({}), quick)
    stage.reset()
    stage.add_foreign()
    foreign = Counter(stage.contents())
    golden = tmp_path / "golden.json"
    golden.write_text(json.dumps({"path": "/predict", "request": {}, "expect": {}}))
    project = project_of(tiny)
    project = replace(project, check=replace(project.check, golden=golden))
    first = DeploymentUnderTest(provider, stage.settings, stage.endpoints, project, tmp_path / "state")
    first.deploy()
    larger = replace(project, app=replace(project.app, memory=2 * project.app.memory))
    return Second(stage, replace(first, project=larger), foreign)


@pytest.mark.parametrize(
    ("action", "blow", "then"), [("patch pods", Fault.LOST, "destroy"), ("delete pods", Fault.SILENT, "deploy")]
)
def test_a_crash_in_a_trial(second: Second, action: str, blow: Fault, then: str) -> None:
    second.kill(action, blow)
    THEN[then](second)


@pytest.mark.exhaustive
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("blow", CRASHES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_crash_at_every_call_of_a_trial(second: Second, action: str, blow: Fault, then: str) -> None:
    second.kill(action, blow)
    THEN[then](second)


@pytest.mark.exhaustive
@pytest.mark.parametrize("blow", PASSING)
@pytest.mark.parametrize("action", [*ACTIONS, "get pods", "list pods", "watch pods"])
def test_a_fault_in_a_trial_passes_unnoticed(second: Second, action: str, blow: Fault) -> None:
    second.stage.order(FaultRule(action, blow, seconds=HELD_SECONDS))
    second.deploy()
    assert second.stage.struck(within=0)


def test_without_the_journal_too(second: Second) -> None:
    """A fresh machine knows only what the cluster tells it."""
    second.kill("delete pods", Fault.SILENT)
    assert f"{second.app}-trial" in second.pods
    fresh = replace(second.scene, state=second.scene.state.with_name("fresh"))
    replace(second, scene=fresh).destroy()
