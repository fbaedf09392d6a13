"""The conformance tests of every provider. A provider's test module subclasses `Conformance`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import ClassVar
from zlib import crc32

import pytest

from mldeploy.config.settings import Project
from mldeploy.core.events import Action
from mldeploy.core.graph import steps_of
from mldeploy.core.verbs import Intent
from mldeploy.testing.matrix import CRASHES, PASSING, FaultMatrix, MatrixCase, assert_same, sweep
from mldeploy.testing.plugin import CASES
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import AnyStage, ApiCall, Fault

PARTS = 4
"""The number of tests among which an exhaustive matrix is divided. They can run in parallel."""
in_parts = pytest.mark.parametrize("part", range(PARTS))


class Conformance:
    """Deploys and destroys, with and without faults.

    A subclass defines the fixtures `stage` and `project`, of class scope or wider. few: the number of cases of a matrix
    that the quick tests run.
    """

    few = 3
    target: ClassVar[str] = ""
    """The target's name, for the table of promises."""

    def is_tried(self, action: str) -> bool:
        """Whether the matrices include calls of an action. A second suite of a provider may skip those of the first."""
        return True

    def is_required(self, action: str) -> bool:
        """Whether a command fails without the permission for an action, rather than going on with less."""
        return True

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls) -> AnyStage:
        """The provider and its stand-in."""
        raise NotImplementedError("a subclass returns its ProviderUnderTest")

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls) -> Project:
        """The app. Its image should exist already."""
        raise NotImplementedError("a subclass returns the app's project")

    @pytest.fixture(scope="class")
    @classmethod
    def matrix(cls, stage: AnyStage, project: Project, tmp_path_factory: pytest.TempPathFactory) -> FaultMatrix:
        """The matrix, after one run without faults."""
        return FaultMatrix(stage, project, tmp_path_factory.mktemp("conformance"))

    @pytest.fixture
    def scene(self, matrix: FaultMatrix) -> DeploymentUnderTest:
        return matrix.scene()

    @proves(Promise.REHEARSED, Promise.TEARDOWN)
    def test_from_nothing_and_back(self, scene: DeploymentUnderTest, matrix: FaultMatrix) -> None:
        """A second deployment writes nothing. A removal leaves what is not ours, and a second one finds nothing."""
        deployed = scene.deploy()
        assert deployed.out is not None
        assert_same(matrix.stage.contents(), matrix.undisturbed.whole, "after deploying")
        before = len(matrix.stage.calls())
        again = scene.deploy()
        assert {step.title: step.action for step in again.steps if step.action is not Action.UNCHANGED} == {}
        assert not _writing(matrix.stage.calls()[before:])
        assert scene.plan().is_noop
        assert scene.destroy().removed
        matrix.ended(scene)
        assert not scene.destroy().removed
        matrix.ended(scene)

    def test_a_plan_from_nothing_changes_nothing(self, scene: DeploymentUnderTest, matrix: FaultMatrix) -> None:
        before = len(matrix.stage.calls())
        plan = scene.plan()
        assert any(change.intent is Intent.CREATE for change in plan.changes)
        assert not _writing(matrix.stage.calls()[before:])
        matrix.ended(scene)

    def test_every_step_can_be_removed(self, scene: DeploymentUnderTest, matrix: FaultMatrix) -> None:
        """`destroy` knows the class of whatever a deployment writes to the journal."""
        assert {step.kind for step in steps_of(scene.last)} <= scene.provider.kinds.keys()
        matrix.ended(scene)

    def test_destroy_before_anything(self, scene: DeploymentUnderTest, matrix: FaultMatrix) -> None:
        assert not scene.destroy().removed
        matrix.ended(scene)

    def test_a_lost_journal_loses_nothing(self, scene: DeploymentUnderTest, matrix: FaultMatrix) -> None:
        """A new machine, such as a CI runner, has no journal."""
        scene.deploy()
        shutil.rmtree(scene.state)
        assert scene.plan().is_noop
        scene.destroy()
        matrix.ended(scene)

    @proves(Promise.CRASHES)
    def test_a_crash_at_some_calls(self, matrix: FaultMatrix, record_property: Callable[[str, object], None]) -> None:
        self._try("crash", matrix, CRASHES, matrix.crash, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    @proves(Promise.CRASHES)
    def test_a_crash_at_every_call(
        self, matrix: FaultMatrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("crash", matrix, CRASHES, matrix.crash, record_property, part=part)

    @proves(Promise.FAULTS)
    def test_a_fault_at_some_calls(self, matrix: FaultMatrix, record_property: Callable[[str, object], None]) -> None:
        self._try("fault", matrix, PASSING, matrix.fault, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    @proves(Promise.FAULTS)
    def test_a_fault_at_every_call(
        self, matrix: FaultMatrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("fault", matrix, PASSING, matrix.fault, record_property, part=part)

    @proves(Promise.PERMISSIONS)
    def test_a_missing_permission_at_some_calls(
        self, matrix: FaultMatrix, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("permission", matrix, [Fault.DENIED], matrix.denial, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    @proves(Promise.PERMISSIONS)
    def test_a_missing_permission_at_every_call(
        self, matrix: FaultMatrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("permission", matrix, [Fault.DENIED], matrix.denial, record_property, part=part)

    def _try(
        self,
        name: str,
        matrix: FaultMatrix,
        blows: Sequence[Fault],
        attempt: Callable[[MatrixCase], None],
        tell: Callable[[str, object], None],
        *,
        few: int = 0,
        part: int = 0,
    ) -> None:
        every = [case for case in matrix.undisturbed.cases(blows) if self.is_tried(case.action)]
        if name == "permission":
            every = [case for case in every if self.is_required(case.action)]
        cases = spread(every, few) if few else [case for case in every if part_of(case) == part]
        which = "" if few else f", part {part + 1} of {PARTS}"
        tell(CASES, f"{matrix.stage.provider.name}: {name} matrix{which}: {len(cases)} of {len(every)} cases")
        sweep(cases, attempt)


def spread(cases: Sequence[MatrixCase], few: int) -> Sequence[MatrixCase]:
    """Return a deterministic sample at even distances. A prime number covers calls and faults of every kind."""
    return [cases[index * len(cases) // few] for index in range(min(few, len(cases)))]


def part_of(case: MatrixCase) -> int:
    """Return the part of a case. It does not depend on the other cases, which may differ between processes."""
    return crc32(str(case).encode()) % PARTS


def _writing(calls: Sequence[ApiCall]) -> list[str]:
    return [call.action for call in calls if call.writing]
