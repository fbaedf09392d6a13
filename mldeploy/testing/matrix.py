"""The crash matrix and the fault matrix: every call of a deployment and of a removal, struck in every way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.testing.scene import Scene
from mldeploy.testing.stage import AnyStage, Blow, Call, Strike

VERBS: Mapping[str, Callable[[Scene], object]] = {"deploy": Scene.deploy, "destroy": Scene.destroy}
CRASHES = (Blow.SILENT, Blow.LOST)
"""A caller that is killed while it waits has died just before the call's effect, or just after it."""
PASSING = (Blow.THROTTLED, Blow.FAILED, Blow.SILENT, Blow.LOST, Blow.CUT_BEFORE, Blow.CUT_AFTER)
"""What, befalling one call once, nobody should notice: the next attempt succeeds."""
AFTERWARDS = (Blow.LOST, Blow.CUT_AFTER)
"""What differs from another blow by the call's effect alone: calls that only read have none."""
HELD_SECONDS = 0.2
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Case:
    """One call of one command, and what befalls it. skip: which call of that action it is, from 0.

    certain: whether it comes each time; how often a command looks again until something is ready is a matter of chance.
    """

    verb: str
    action: str
    skip: int
    blow: Blow
    certain: bool

    def __str__(self) -> str:
        return f"{self.verb}, {self.action} #{self.skip + 1}: {self.blow}"


@dataclass(frozen=True)
class Undisturbed:
    """How it goes when nothing befalls anybody. foreign: what is there without us. whole: with the deployment."""

    foreign: Counter[str]
    whole: Counter[str]
    calls: Mapping[str, Sequence[Call]]

    def cases(self, blows: Iterable[Blow]) -> Iterator[Case]:
        """Every call in the order in which they came, in every way."""
        blows = tuple(blows)
        for verb, calls in self.calls.items():
            seen: Counter[str] = Counter()
            for call in calls:
                skip = seen[call.action]
                for blow in blows:
                    if call.writing or blow not in AFTERWARDS:
                        yield Case(verb, call.action, skip, blow, certain=call.writing or skip == 0)
                seen[call.action] += 1


class Matrix:
    """Tries cases on one stage, one after the other. folder: where each scene's state goes.

    A stage is reset only if something may be left on it: where a reset takes long, thousands of cases would not end.
    """

    def __init__(self, stage: AnyStage, project: Project, folder: Path) -> None:
        self.stage = stage
        self._project = project
        self._folder = folder
        self._numbers = count()
        self._clean = False
        self.undisturbed = self._play()

    def scene(self) -> Scene:
        """An account in which there are foreign things, and nothing of ours."""
        if not self._clean:
            self.stage.reset()
            self.stage.add_foreign()
        self._clean = False
        stage, state = self.stage, self._folder / str(next(self._numbers))
        return Scene(stage.provider, stage.settings, stage.endpoints, self._project, state)

    def ended(self, scene: Scene) -> None:
        """After a removal: nothing of ours is left, and all that is others'. Raises AssertionError."""
        self._end(scene, self.undisturbed.foreign)

    def crash(self, case: Case) -> None:
        """Kill the command while that call is on its way; whatever it leaves, a deployment must make whole."""
        scene = self._prepared(case)
        self.stage.order(Strike(case.action, case.blow, case.skip))
        process = scene.start(VERBS[case.verb])
        try:
            while not self.stage.struck(within=LOOK_SECONDS):
                if not process.is_alive():
                    assert process.exitcode == 0, "the command failed before that call came"
                    assert not case.certain, "the command ended before that call came"
                    break
        finally:
            process.kill()
            process.join()
            self.stage.relent()
        self._check(scene)

    def fault(self, case: Case) -> None:
        """One call fails once: the command succeeds nevertheless, and what it leaves is as it should be."""
        scene = self._prepared(case)
        self.stage.order(Strike(case.action, case.blow, case.skip, seconds=HELD_SECONDS))
        VERBS[case.verb](scene)
        struck = self.stage.struck(within=0)
        self.stage.relent()
        assert struck or not case.certain, "the command ended before that call came"
        self._check(scene)

    def denial(self, case: Case) -> None:
        """A permission is missing: the command says which, and goes on from there once it has it."""
        scene = self._prepared(case)
        self.stage.order(Strike(case.action, Blow.DENIED, case.skip, always=True))
        error = _error_of(VERBS[case.verb], scene)
        struck = self.stage.struck(within=0)
        self.stage.relent()
        assert struck or not case.certain, "the command ended before that call came"
        if struck:
            _assert_denied(error, case.action)
        self._check(scene)

    def _prepared(self, case: Case) -> Scene:
        scene = self.scene()
        if case.verb == "destroy":
            scene.deploy()
        return scene

    def _play(self) -> Undisturbed:
        scene = self.scene()
        foreign = Counter(self.stage.contents())
        calls: dict[str, Sequence[Call]] = {}
        whole: Counter[str] = Counter()
        for verb, act in VERBS.items():
            before = len(self.stage.calls())
            act(scene)
            calls[verb] = self.stage.calls()[before:]
            whole = whole or Counter(self.stage.contents())
        self._end(scene, foreign)
        return Undisturbed(foreign, whole, calls)

    def _end(self, scene: Scene, foreign: Counter[str]) -> None:
        assert_same(self.stage.contents(), foreign, "after destroying")
        assert not scene.journals, f"a journal is left: {scene.journals}"
        self._clean = True

    def _check(self, scene: Scene) -> None:
        """Deploying makes it whole, with nothing besides; removing it leaves what is others', and no file of ours."""
        scene.deploy()
        assert_same(self.stage.contents(), self.undisturbed.whole, "after deploying again")
        scene.destroy()
        self.ended(scene)


def _error_of(act: Callable[[Scene], object], scene: Scene) -> MldeployError | None:
    try:
        act(scene)
    except MldeployError as error:
        return error
    return None


def _assert_denied(error: MldeployError | None, action: str) -> None:
    assert error is not None, "the command succeeded without the permission"
    assert action in str(error), f"the missing permission is not named: {error}"
    assert error.exit_code is not ExitCode.INTERNAL, f"a defect, rather than a missing permission: {error}"


def assert_same(found: Iterable[str], wanted: Counter[str], when: str) -> None:
    """Raises AssertionError, which names what is missing and what is left over."""
    there = Counter(found)
    left, lacking = there - wanted, wanted - there
    assert not left, f"{when} there is something left: {', '.join(left.elements())}"
    assert not lacking, f"{when} there is something missing: {', '.join(lacking.elements())}"


def sweep(cases: Sequence[Case], attempt: Callable[[Case], None]) -> None:
    """Try every case, also after a failure. Raises AssertionError, which names all that failed."""
    failed = []
    for case in cases:
        try:
            attempt(case)
        except (AssertionError, MldeployError) as error:
            failed.append(f"{case}: {type(error).__name__}: {error}")
    assert not failed, "\n".join((f"{len(failed)} of {len(cases)} cases failed:", *failed))
