"""The step: what was checked is remembered as long as nothing that decides it changes, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from mldeploy.check import records
from mldeploy.check.step import CheckedImage, CheckResult, has_leftovers
from mldeploy.check.trial import hold_check_lock
from mldeploy.check.verdict import CheckFailedError
from mldeploy.config.paths import state_folder
from mldeploy.core.events import ignore
from mldeploy.core.findings import Level
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel, CancelledError, Monitor
from mldeploy.core.step import Outputs, Seen
from mldeploy.core.verbs import Deployed, DeploymentFailedError, deploy
from mldeploy.image.cloud import EngineCloud, HasEngine
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import BaseDigest, Image
from tests.check.specimen import Specimen, bad, line

pytestmark = pytest.mark.engine


@dataclass(frozen=True, eq=False)
class ThatBase(BaseImage):
    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest]:
        return Seen(BaseDigest(()), ours=False)


@dataclass(frozen=True, eq=False)
class ThatImage(BuiltImage):
    """An image that is there."""

    built: Image

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image]:
        return Seen(self.built)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def walk(specimen: Specimen, image: Image, *, anew: bool = False) -> Deployed[CheckResult]:
    """As `mldeploy build` does; with `anew`, as `mldeploy check`."""
    goal = CheckedImage.of(ThatImage(specimen.project, ThatBase(specimen.project), image), anew=anew)
    with Journal(state_folder(), Scope(specimen.name, "local"), "build") as journal:
        return deploy(goal, Session(EngineCloud(specimen.engine), journal, Cancel(), ignore))


def undo(specimen: Specimen) -> bool:
    step = CheckedImage.of(BuiltImage.of(specimen.project))
    return CheckedImage.undo(EngineCloud(specimen.engine), step.key(), Monitor(step.resource, ignore, Cancel()))


def test_is_remembered_until_something_that_decides_it_changes(specimen: Specimen) -> None:
    specimen.env(MODE="")
    image = specimen.build()
    first = walk(specimen, image).out
    assert first.anew
    again = walk(specimen, image).out
    assert not again.anew
    assert again.verdict.findings == first.verdict.findings
    assert again.verdict.figures == first.verdict.figures
    assert walk(specimen, image, anew=True).out.anew

    changes: list[Callable[[], object]] = [
        lambda: specimen.env(MODE="", PASSWORD="hush"),
        lambda: specimen.app(memory=specimen.project.app.memory * 2),
        lambda: specimen.golden(1.5001),
        lambda: specimen.requires("flask\n"),
    ]
    for change in changes:
        change()
        assert not known(specimen, image), "what is demanded of it is not what it was checked for"


def known(specimen: Specimen, image: Image) -> bool:
    """Whether `build` would have nothing to check."""
    return records.recall(specimen.name, records.CheckSubject.of(specimen.project, image.digest)) is not None


def test_no_secret_is_in_what_is_remembered(specimen: Specimen, state: Path) -> None:
    specimen.env(MODE="", PASSWORD="hush-hush")
    image = specimen.build()
    walk(specimen, image)
    assert known(specimen, image)
    (file,) = state.rglob("checks.json")
    assert "hush" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("{torn")
    assert not known(specimen, image), "what cannot be read is looked at anew"


def test_failure_is_a_verdict_and_is_not_remembered(specimen: Specimen, state: Path) -> None:
    specimen.golden(7.0)
    image = specimen.build()
    with pytest.raises(DeploymentFailedError, match=r"prediction: 1\.5, expected 7") as failed:
        walk(specimen, image)
    assert int(failed.value.exit_code) == 1
    error = failed.value.failures[0][1]
    assert isinstance(error, CheckFailedError)
    assert line(error.verdict, "golden row").level is Level.ERROR
    assert list(state.rglob("checks.json")) == []
    assert undo(specimen) is False


def test_an_app_that_lacks_a_secret_of_its_target_is_not_wrong(specimen: Specimen) -> None:
    specimen.command = ("python3", "-c", "import os; os.environ['API_KEY']")
    image = specimen.build()
    assert Level.ERROR in bad(specimen.check(image, ("OTHER_KEY",))).values()
    verdict = specimen.check(image, ("API_KEY",))
    assert not verdict.errors
    assert "API_KEY is known on the target only" in line(verdict, "start").what


def test_nothing_is_left_when_it_is_undone(specimen: Specimen, state: Path) -> None:
    walk(specimen, specimen.build())
    assert has_leftovers(specimen.engine, specimen.name)
    assert undo(specimen) is True
    assert undo(specimen) is False
    assert not has_leftovers(specimen.engine, specimen.name)
    assert [path.name for path in state.rglob("*") if "check" in path.name] == []


KILLED = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from mldeploy.image.engine import Engine
from tests.check.specimen import Specimen
from mldeploy.check import examine
look = examine.look_inside
def look_and_say_so(*arguments):
    inside = look(*arguments)
    print("looked inside", flush=True)
    return inside
examine.look_inside = look_and_say_so
specimen = Specimen(Engine.connect(), Path({folder!r}), {name!r})
specimen.env(MODE="silent")
specimen.check(specimen.found("1"))
"""


def test_what_a_killed_check_leaves_is_removed_by_the_next(specimen: Specimen, tmp_path: Path) -> None:
    image = specimen.build()
    root = str(Path(__file__).parents[2])
    program = KILLED.format(root=root, folder=str(tmp_path), name=specimen.name)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        # From then on nothing is created that would appear after its death.
        assert process.stdout.readline() == "looked inside\n"
        while not specimen.containers:
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    assert specimen.containers, "it was killed in the middle"
    assert has_leftovers(specimen.engine, specimen.name)
    assert walk(specimen, image).out.anew
    assert specimen.containers == []


def test_two_checks_of_an_app_do_not_meet(specimen: Specimen, state: Path) -> None:
    cancel = Cancel()
    monitor = Monitor(CheckedImage.of(BuiltImage.of(specimen.project)).resource, ignore, cancel)
    with ThreadPoolExecutor(1) as pool:
        with hold_check_lock(specimen.engine, specimen.name, monitor):
            second = pool.submit(_enter, specimen, monitor)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
        assert second.result(timeout=600) is True
        with hold_check_lock(specimen.engine, specimen.name, monitor):
            third = pool.submit(_enter, specimen, monitor)
            cancel.request()
            with pytest.raises(CancelledError):
                third.result(timeout=600)
    assert [path for path in state.rglob("*") if path.is_file()] == []


def _enter(specimen: Specimen, monitor: Monitor) -> bool:
    with hold_check_lock(specimen.engine, specimen.name, monitor):
        return True
