"""The crash matrix and the fault matrix: every API call of a deployment and of a removal, with every fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import AnyStage, ApiCall, Fault, FaultRule

VERBS: Mapping[str, Callable[[DeploymentUnderTest], object]] = {
    "deploy": DeploymentUnderTest.deploy,
    "destroy": DeploymentUnderTest.destroy,
}
CRASHES = (Fault.SILENT, Fault.LOST)
"""A caller that is killed while it waits died just before or just after the call's effect."""
PASSING = (Fault.THROTTLED, Fault.FAILED, Fault.SILENT, Fault.LOST, Fault.CUT_BEFORE, Fault.CUT_AFTER)
"""Transient faults: the command must retry and succeed."""
AFTERWARDS = (Fault.LOST, Fault.CUT_AFTER)
"""Faults after the call's effect. Reading calls have no effect, so these are not injected there."""
HELD_SECONDS = 0.2
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class MatrixCase:
    """One fault in one call of one command. skip: the index of the call among those of its action, from 0.

    certain: the call occurs in every run. Polling calls do not.
    """

    verb: str
    action: str
    skip: int
    blow: Fault
    certain: bool

    def __str__(self) -> str:
        return f"{self.verb}, {self.action} #{self.skip + 1}: {self.blow}"


@dataclass(frozen=True)
class BaselineRun:
    """A run without faults. foreign: the account's contents before it. whole: those with the deployment."""

    foreign: Counter[str]
    whole: Counter[str]
    calls: Mapping[str, Sequence[ApiCall]]

    def cases(self, blows: Iterable[Fault]) -> Iterator[MatrixCase]:
        """Yield every call in order, with every fault."""
        blows = tuple(blows)
        for verb, calls in self.calls.items():
            seen: Counter[str] = Counter()
            for call in calls:
                skip = seen[call.action]
                for blow in blows:
                    if call.writing or blow not in AFTERWARDS:
                        yield MatrixCase(verb, call.action, skip, blow, certain=call.writing or skip == 0)
                seen[call.action] += 1


class FaultMatrix:
    """Runs cases on one provider under test, one after the other. folder: of the journals.

    The stand-in is reset only if something may be left on it, since a reset may be slow. A subclass may try other
    commands than a deployment and a removal.
    """

    verbs: ClassVar[Mapping[str, Callable[[DeploymentUnderTest], object]]] = VERBS
    """The commands. The undisturbed run is all of them, in this order."""

    def __init__(self, stage: AnyStage, project: Project, folder: Path) -> None:
        self.stage = stage
        self._project = project
        self._folder = folder
        self._numbers = count()
        self._clean = False
        self.undisturbed = self._run_undisturbed()

    def scene(self) -> DeploymentUnderTest:
        """Return a new deployment in an account that holds only foreign resources."""
        if not self._clean:
            self.stage.reset()
            self.stage.add_foreign()
        self._clean = False
        stage, state = self.stage, self._folder / str(next(self._numbers))
        return DeploymentUnderTest(stage.provider, stage.settings, stage.endpoints, self._project, state)

    def ended(self, scene: DeploymentUnderTest) -> None:
        """Assert, after a removal, that only foreign resources remain."""
        self._end(scene, self.undisturbed.foreign)

    def crash(self, case: MatrixCase) -> None:
        """Kill the command during the call. The next deployment must complete what is left."""
        scene = self._prepare(case)
        self.stage.order(FaultRule(case.action, case.blow, case.skip))
        process = scene.start(self.verbs[case.verb])
        try:
            while not self.stage.struck(within=LOOK_SECONDS):
                if not process.is_alive():
                    assert process.exitcode == 0, "the command failed before that call came"
                    assert not case.certain, "the command ended before that call came"
                    break
        finally:
            process.kill()
            process.join()
            self.stage.clear_faults()
        self._check(scene)

    def fault(self, case: MatrixCase) -> None:
        """Let one call fail once. The command must succeed, and its result must be complete."""
        scene = self._prepare(case)
        self.stage.order(FaultRule(case.action, case.blow, case.skip, seconds=HELD_SECONDS))
        self.verbs[case.verb](scene)
        struck = self.stage.struck(within=0)
        self.stage.clear_faults()
        assert struck or not case.certain, "the command ended before that call came"
        self._check(scene)

    def denial(self, case: MatrixCase) -> None:
        """A permission is missing: the command says which, and goes on from there once it has it."""
        scene = self._prepare(case)
        self.stage.order(FaultRule(case.action, Fault.DENIED, case.skip, always=True))
        error = _error_of(self.verbs[case.verb], scene)
        struck = self.stage.struck(within=0)
        self.stage.clear_faults()
        assert struck or not case.certain, "the command ended before that call came"
        if struck:
            _assert_denied(error, case.action)
        self._check(scene)

    def _prepare(self, case: MatrixCase) -> DeploymentUnderTest:
        scene = self.scene()
        self.precede(scene, case.verb)
        return scene

    def precede(self, scene: DeploymentUnderTest, verb: str) -> None:
        """Run what a command needs to have been run before."""
        if verb == "destroy":
            scene.deploy()

    def repeat(self, scene: DeploymentUnderTest, verb: str) -> None:
        """Run what the command before this one has undone, in the undisturbed run."""

    def complete(self, scene: DeploymentUnderTest) -> None:
        """Run what completes each command that was interrupted."""
        scene.deploy()

    def _run_undisturbed(self) -> BaselineRun:
        scene = self.scene()
        foreign = Counter(self.stage.contents())
        calls: dict[str, Sequence[ApiCall]] = {}
        whole: Counter[str] = Counter()
        for verb, act in self.verbs.items():
            self.repeat(scene, verb)
            before = len(self.stage.calls())
            act(scene)
            calls[verb] = self.stage.calls()[before:]
            whole = whole or Counter(self.stage.contents())
        self._end(scene, foreign)
        return BaselineRun(foreign, whole, calls)

    def _end(self, scene: DeploymentUnderTest, foreign: Counter[str]) -> None:
        assert_same(self.stage.contents(), foreign, "after destroying")
        assert not scene.journals, f"a journal is left: {scene.journals}"
        self._clean = True

    def _check(self, scene: DeploymentUnderTest) -> None:
        """Assert that a deployment completes it exactly, and that a removal leaves only foreign resources."""
        self.complete(scene)
        assert_same(self.stage.contents(), self.undisturbed.whole, "after deploying again")
        scene.destroy()
        self.ended(scene)


def _error_of(act: Callable[[DeploymentUnderTest], object], scene: DeploymentUnderTest) -> MldeployError | None:
    try:
        act(scene)
    except MldeployError as error:
        return error
    return None


def _assert_denied(error: MldeployError | None, action: str) -> None:
    assert error is not None, "the command succeeded without the permission"
    assert action in str(error), f"the missing permission is not named: {error}"
    assert error.exit_code is not ExitCode.INTERNAL, f"a defect, rather than a missing permission: {error}"


def assert_same(actual: Iterable[str], expected: Counter[str], when: str) -> None:
    """Raise AssertionError with what is missing and what is left over."""
    counted = Counter(actual)
    left, lacking = counted - expected, expected - counted
    assert not left, f"{when} there is something left: {', '.join(left.elements())}"
    assert not lacking, f"{when} there is something missing: {', '.join(lacking.elements())}"


def sweep(cases: Sequence[MatrixCase], attempt: Callable[[MatrixCase], None]) -> None:
    """Run every case, also after a failure. Raises AssertionError with all failures."""
    failed = []
    for case in cases:
        try:
            attempt(case)
        except (AssertionError, MldeployError) as error:
            failed.append(f"{case}: {type(error).__name__}: {error}")
    assert not failed, "\n".join((f"{len(failed)} of {len(cases)} cases failed:", *failed))
