"""The tests that every provider must pass. A provider's test module subclasses this, and says on which stage."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from zlib import crc32

import pytest

from mldeploy.config.settings import Project
from mldeploy.core.events import Action
from mldeploy.core.verbs import Intent
from mldeploy.testing.matrix import CRASHES, PASSING, Case, Matrix, assert_same, sweep
from mldeploy.testing.plugin import CASES
from mldeploy.testing.scene import Scene
from mldeploy.testing.stage import AnyStage, Blow, Call

PARTS = 4
"""So many tests share the cases of a whole matrix, and can run at the same time."""
in_parts = pytest.mark.parametrize("part", range(PARTS))


class Conformance:
    """From nothing to the target's last step and back, undisturbed and disturbed.

    A subclass has the fixtures `stage` and `project`, which live at least as long as the class. few: how many cases of
    a matrix the quick tests try, spread over all of them.
    """

    few = 5

    def is_tried(self, action: str) -> bool:
        """Whether the matrices strike calls of it: a second class for a provider leaves out what the first has."""
        return True

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls) -> AnyStage:
        """The provider, and the stand-in that it plays on."""
        raise NotImplementedError("a subclass says on which stage its provider plays")

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls) -> Project:
        """The app. What it takes long to make for it (its image) should be there already."""
        raise NotImplementedError("a subclass says which app its provider deploys")

    @pytest.fixture(scope="class")
    @classmethod
    def matrix(cls, stage: AnyStage, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
        """Has been through everything once, undisturbed."""
        return Matrix(stage, project, tmp_path_factory.mktemp("conformance"))

    @pytest.fixture
    def scene(self, matrix: Matrix) -> Scene:
        return matrix.scene()

    def test_from_nothing(self, scene: Scene, matrix: Matrix) -> None:
        deployed = scene.deploy()
        assert deployed.out is not None
        assert_same(matrix.stage.contents(), matrix.undisturbed.whole, "after deploying")
        scene.destroy()
        matrix.ended(scene)

    def test_a_plan_from_nothing_changes_nothing(self, scene: Scene, matrix: Matrix) -> None:
        before = len(matrix.stage.calls())
        plan = scene.plan()
        assert any(change.intent is Intent.CREATE for change in plan.changes)
        assert not _writing(matrix.stage.calls()[before:])
        matrix.ended(scene)

    def test_again_writes_nothing(self, scene: Scene, matrix: Matrix) -> None:
        scene.deploy()
        before = len(matrix.stage.calls())
        again = scene.deploy()
        assert {step.title: step.action for step in again.steps if step.action is not Action.UNCHANGED} == {}
        assert not _writing(matrix.stage.calls()[before:])
        assert scene.plan().is_noop
        scene.destroy()
        matrix.ended(scene)

    def test_destroy_leaves_what_is_not_ours(self, scene: Scene, matrix: Matrix) -> None:
        scene.deploy()
        destroyed = scene.destroy()
        assert destroyed.removed
        matrix.ended(scene)

    def test_destroy_twice(self, scene: Scene, matrix: Matrix) -> None:
        scene.deploy()
        scene.destroy()
        assert not scene.destroy().removed
        matrix.ended(scene)

    def test_destroy_before_anything(self, scene: Scene, matrix: Matrix) -> None:
        assert not scene.destroy().removed
        matrix.ended(scene)

    def test_a_lost_journal_loses_nothing(self, scene: Scene, matrix: Matrix) -> None:
        """A fresh machine, such as a CI runner's, knows only what the platform tells it."""
        scene.deploy()
        shutil.rmtree(scene.state)
        assert scene.plan().is_noop
        scene.destroy()
        matrix.ended(scene)

    def test_a_crash_at_some_calls(self, matrix: Matrix, record_property: Callable[[str, object], None]) -> None:
        self._try("crash", matrix, CRASHES, matrix.crash, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    def test_a_crash_at_every_call(
        self, matrix: Matrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("crash", matrix, CRASHES, matrix.crash, record_property, part=part)

    def test_a_fault_at_some_calls(self, matrix: Matrix, record_property: Callable[[str, object], None]) -> None:
        self._try("fault", matrix, PASSING, matrix.fault, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    def test_a_fault_at_every_call(
        self, matrix: Matrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("fault", matrix, PASSING, matrix.fault, record_property, part=part)

    def test_a_missing_permission_at_some_calls(
        self, matrix: Matrix, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("permission", matrix, [Blow.DENIED], matrix.denial, record_property, few=self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    @in_parts
    def test_a_missing_permission_at_every_call(
        self, matrix: Matrix, part: int, record_property: Callable[[str, object], None]
    ) -> None:
        self._try("permission", matrix, [Blow.DENIED], matrix.denial, record_property, part=part)

    def _try(
        self,
        name: str,
        matrix: Matrix,
        blows: Sequence[Blow],
        attempt: Callable[[Case], None],
        tell: Callable[[str, object], None],
        *,
        few: int = 0,
        part: int = 0,
    ) -> None:
        every = [case for case in matrix.undisturbed.cases(blows) if self.is_tried(case.action)]
        cases = spread(every, few) if few else [case for case in every if part_of(case) == part]
        which = "" if few else f", part {part + 1} of {PARTS}"
        tell(CASES, f"{matrix.stage.provider.name}: {name} matrix{which}: {len(cases)} of {len(every)} cases")
        sweep(cases, attempt)


def spread(cases: Sequence[Case], few: int) -> Sequence[Case]:
    """Some of them, always the same, at even distances; a prime number of them meets calls and blows of every kind."""
    return [cases[place * len(cases) // few] for place in range(min(few, len(cases)))]


def part_of(case: Case) -> int:
    """In which part it is tried, whatever other cases there are: each process of a run has counted them for itself."""
    return crc32(str(case).encode()) % PARTS


def _writing(calls: Sequence[Call]) -> list[str]:
    return [call.action for call in calls if call.writing]
