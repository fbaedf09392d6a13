"""No target gets an image that fails its check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mldeploy.cli.stand_ins import rehearsed_targets
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from mldeploy.rehearsal.client import Rehearsal
from mldeploy.rehearsal.record import RehearsalRecord
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import SampleApp, SampleVersion, sample_app
from tests.cli.command import Command, Result
from tests.names import record
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine

BASE = "mldeploy/python:3.11-slim"
QUICK = ("ecr", "gar")
TARGETS = [pytest.param(each, marks=() if each in QUICK else pytest.mark.exhaustive) for each in rehearsed_targets()]
BROKEN = SampleVersion(code="broken", before='raise RuntimeError("the model cannot be read")')


class User:
    """Somebody with an app, and the simulators that the commands have started."""

    def __init__(self, app: SampleApp, mldeploy: Command) -> None:
        self.app = app
        self.mldeploy = mldeploy

    def bring(self, target: str, *words: str) -> Result:
        """`mldeploy deploy`, or `push` to a registry."""
        verb = "deploy" if isinstance(registry.find(target), Runtime) else "push"
        return self.mldeploy(verb, "--target", target, "--rehearse", "--json", *words)

    def on(self, target: str, command: str, *words: str) -> Any:
        result = self.mldeploy(command, "--target", target, "--rehearse", "--json", *words)
        assert result.code == 0, result.err
        return result.document

    def uploads(self) -> list[str]:
        """The requests that would have changed a registry."""
        records = (RehearsalRecord.read(folder) for folder in self.mldeploy.state.glob("rehearsal.*"))
        transfers = (each for there in records if there for each in Rehearsal(there).transfers())
        return [each.path for each in transfers if each.method not in {"GET", "HEAD"}]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    require_registry()
    folder = tmp_path_factory.mktemp("checked")
    with sample_app(folder / "app", BASE) as app:
        record(app.name)
        mldeploy = Command(folder / "home", app.folder)
        yield User(app, mldeploy)
        mldeploy("rehearse", "down")


@proves(Promise.CHECKED)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_a_broken_image_is_uploaded(user: User, target: str) -> None:
    user.app.write(BROKEN)
    failed = user.bring(target)
    assert failed.code == 1
    assert "the model cannot be read" in str(failed.error["what"])
    assert "--no-check" in str(failed.error["todo"])
    assert user.uploads() == []
    user.on(target, "destroy", "--yes")
