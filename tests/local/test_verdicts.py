"""A version that is broken gets one verdict, soon, and the version that answered before answers still."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import ExitCode
from mldeploy.testing.promises import Promise, proves
from tests.few import few
from tests.local.world import MIB, World

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Broken:
    """A way to be broken: the tiny server's mode, the words that the verdict must have, its container's exit code.

    patience: `start_timeout`. Only where nothing but time can tell is it short; all others must be seen long before.
    """

    mode: str
    cause: str
    todo: str
    exit_status: int | None = None
    patience: float = 1200.0


BROKEN = (
    Broken("exit:7", "it ended (exit code 7)", "log above", 7),
    Broken("import:sklearn", "the module sklearn is not in the image", "add `scikit-learn` to requirements.txt", 1),
    Broken("read-only", "the app writes to /app.log", "`read_only = false`", 1),
    Broken("eat", "out of memory: it was killed at the limit of 64 MiB", "`memory`", 137),
    Broken("lose-worker", "out of memory: one of its processes was killed at the limit of 64 MiB", "`memory`"),
    Broken("elsewhere:9000", "nothing listens on port 8000, but something listens on 127.0.0.1:9000", "0.0.0.0:8000"),
    Broken("elsewhere:8000", "127.0.0.1:8000, which only the container itself can reach", "0.0.0.0:8000"),
    Broken("status:404", '/health answers 404 Not Found: {"error": "not this way"}', "`health`"),
    Broken("redirect", "/health answers 302 Found, to ", "`health`"),
    Broken("no-http", "does not speak HTTP", "web server", patience=5),
    Broken("silent", "nothing listens on port 8000 after ", "`start_timeout`", patience=3),
    Broken(
        "noisy", "the time limit; its log mentions: the app may not use /app/logs.log", "`start_timeout`", patience=3
    ),
    Broken("status:503", "/health answers 503", "`health`", patience=5),
    Broken("hang", "/health does not answer within", "`start_timeout`", patience=5),
)


def verdict_of(world: World) -> VerdictError:
    error = world.fail()
    assert isinstance(error, VerdictError), error
    assert error.exit_code is ExitCode.FAILED
    return error


def verdict_in_time(world: World, broken: Broken) -> VerdictError:
    """The verdict; with more patience if the machine was too slow for the app to get as far as its fault."""
    patience = broken.patience
    while True:
        world.check(start_timeout=patience)
        verdict = verdict_of(world)
        was_early = broken.cause not in verdict.cause and verdict.cause.startswith("nothing listens on port 8000")
        if not was_early or patience > 300:
            return verdict
        patience *= 10


@pytest.mark.parametrize("broken", few(BROKEN, 4), ids=lambda broken: broken.mode)
def test_broken_first_version_ends_with_its_cause_and_leaves_nothing(world: World, broken: Broken) -> None:
    world.app(memory=64 * MIB)
    world.env(MODE=broken.mode)
    start = time.monotonic()
    verdict = verdict_in_time(world, broken)
    assert time.monotonic() - start < 600
    assert broken.cause in verdict.cause
    assert broken.todo in verdict.todo
    assert verdict.exit_status == broken.exit_status
    assert world.leftovers == []


@proves(Promise.OLD_VERSION, Promise.VERDICT, targets=("local",))
@pytest.mark.parametrize("mode", ["exit:7", "status:500"])
def test_broken_new_version_leaves_the_old_one_answering(world: World, mode: str) -> None:
    world.app(memory=64 * MIB)
    world.deploy()
    before = world.serving
    world.env(VERSION="2", MODE=mode)
    assert f"mldeploy-{world.name}-next" in verdict_of(world).where
    assert f"The old version still answers at {world.url}." in world.notes
    assert world.serving == before
    assert world.version == "1"


@pytest.mark.usefixtures("impatient")
def test_an_old_version_that_no_longer_answers_is_not_said_to(world: World) -> None:
    world.deploy()
    world.get("/hang")
    world.env(VERSION="2", MODE="exit:7")
    verdict_of(world)
    (note,) = world.notes
    assert note.startswith(f"The old version was not changed, but it does not answer either, at {world.url}: ")
    assert world.serving.running


def test_program_that_is_not_in_the_image(world: World) -> None:
    world.command = ("gunicorn", "app:app")
    verdict = verdict_of(world)
    assert "the program gunicorn, or the interpreter that its first line names, is not in the image" in verdict.cause
    assert "requirements.txt" in verdict.todo
    assert verdict.exit_status == 127
    assert world.containers == ()


def test_program_for_another_processor(world: World) -> None:
    world.command = ("/alien",)
    assert "built for another processor" in verdict_of(world).cause


@pytest.fixture
def golden(world: World) -> None:
    row = {
        "path": "/predict_api",
        "request": {"age": 42},
        "expect": {"prediction": 1.5},
        "tolerance": {"relative": 0.01},
    }
    file = world.folder / "golden.json"
    file.write_text(json.dumps(row))
    world.check(golden=file)


@proves(Promise.GOLDEN_ROW, targets=("local",))
@pytest.mark.usefixtures("golden")
def test_golden_row_must_hold_before_the_old_version_goes(world: World) -> None:
    world.env(PREDICTION="1.51")
    world.deploy()
    before = world.serving
    world.env(PREDICTION="1.6", VERSION="2")
    verdict = verdict_of(world)
    assert verdict.cause == "the golden row differs: prediction: 1.6, expected 1.5 ± 1 %"
    world.env(MODE="broken-model")
    verdict = verdict_of(world)
    assert "/predict_api does not answer" in verdict.cause
    assert "the log says: the app failed: ValueError: the model has 5 features" in verdict.cause
    assert world.serving == before
