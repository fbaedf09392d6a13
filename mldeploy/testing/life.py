"""What every provider must pass under which an app runs: it changes, it breaks, it goes back, it grows, it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.client import AppClient
from mldeploy.image.running.errors import VerdictError
from mldeploy.project.golden import Json
from mldeploy.providers.base import Address, Service
from mldeploy.providers.errors import WrongTargetError
from mldeploy.testing.matrix import assert_same
from mldeploy.testing.sample import ROUTE, SampleApp, Version
from mldeploy.testing.scene import Scene
from mldeploy.testing.stage import AnyStage

FIRST = Version()
CHANGES = {
    "code": replace(FIRST, code="two"),
    "model": replace(FIRST, model="second"),
    "size": replace(FIRST, memory="3g"),
    "port": replace(FIRST, port=9090),
    "environment": replace(FIRST, greeting="good day"),
}
EVERYTHING = Version("two", "second", "good day", 9090, "3g")
MISSING = "nothing_of_the_kind"


@dataclass(frozen=True)
class Life:
    """One app on one stage. foreign: what was there before it."""

    stage: AnyStage
    app: SampleApp
    state: Path
    foreign: Counter[str]

    @property
    def scene(self) -> Scene:
        """As the folder is now."""
        stage = self.stage
        return Scene(stage.provider, stage.settings, stage.endpoints, self.app.project, self.state)

    @property
    def service(self) -> Service:
        return self.scene.service

    def deploy(self, version: Version) -> Address:
        self.app.write(version)
        out = self.scene.deploy().out
        assert isinstance(out, Address)
        return out

    def break_(self, version: Version) -> VerdictError:
        """Deploy what cannot serve: the command fails, and says why."""
        self.app.write(version)
        return self.failure()

    def failure(self) -> VerdictError:
        """Of a deployment of the folder as it is."""
        with pytest.raises(DeploymentFailedError) as failed:
            self.scene.deploy()
        assert failed.value.exit_code is ExitCode.FAILED
        verdict = failed.value.failures[0][1]
        assert isinstance(verdict, VerdictError), verdict
        return verdict

    def end(self) -> None:
        """Nothing of it is left, and all that is others'."""
        assert self.scene.destroy().removed
        assert_same(self.stage.contents(), self.foreign, "after destroying")
        assert not self.scene.journals


class Lived:
    """A subclass has the fixtures `stage`, on which images really run, and `sample`, a `SampleApp`."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls) -> AnyStage:
        """The provider, and the stand-in that it plays on."""
        raise NotImplementedError("a subclass says on which stage its provider plays")

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls) -> SampleApp:
        """The app. Its versions are written into its folder."""
        raise NotImplementedError("a subclass makes the app (`sample_app`)")

    @pytest.fixture
    def life(self, stage: AnyStage, sample: SampleApp, tmp_path: Path) -> Iterator[Life]:
        """In an account in which there are foreign things."""
        stage.reset()
        stage.add_foreign()
        yield Life(stage, sample, tmp_path / "state", Counter(stage.contents()))
        stage.reset()

    def ask(self, url: str) -> Json:
        """What the app answers. A subclass whose URLs lead elsewhere goes there."""
        with AppClient(url) as client:
            return client.predict(ROUTE, {})


class Living(Lived):
    """Every change arrives, and what is broken does no harm.

    sized: the platform knows of a container's memory, so that a change of it is a change there.
    """

    sized: ClassVar[bool] = True

    def test_what_is_changed_arrives(self, life: Life) -> None:
        """All at once, and back again."""
        self._arrive(life, [EVERYTHING, FIRST])

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_alone_arrives(self, life: Life, change: str) -> None:
        self._arrive(life, [CHANGES[change]], is_seen=self.sized or change != "size")

    def test_a_broken_version_leaves_the_old_one_and_what_served_before_comes_back(self, life: Life) -> None:
        first = life.deploy(FIRST)
        verdict = life.break_(replace(FIRST, code="broken", before=f"import {MISSING}"))
        assert f"the module {MISSING} is not in the image" in verdict.cause
        assert verdict.exit_status == 1
        assert verdict.log[-1] == f"ModuleNotFoundError: No module named '{MISSING}'"
        assert verdict.todo
        assert self.ask(first.url) == FIRST.answer

        second = replace(FIRST, code="two")
        assert self.ask(life.deploy(second).url) == second.answer
        # a platform may say before each line whose it is
        assert any(each.endswith("serving two") for each in life.service.logs(follow=False, tail=0))
        assert [each.state for each in life.service.releases()].count("serving") == 1
        self._go_back(life)
        self._grow(life)
        life.end()
        assert life.service.url() is None

    def _arrive(self, life: Life, versions: Sequence[Version], *, is_seen: bool = True) -> None:
        assert self.ask(life.deploy(FIRST).url) == FIRST.answer
        for version in versions:
            life.app.write(version)
            assert life.scene.plan().is_noop is not is_seen
            assert self.ask(life.deploy(version).url) == version.answer
            assert life.scene.plan().is_noop
        life.end()

    def _go_back(self, life: Life) -> None:
        try:
            back = life.service.rollback(None, life.scene.monitor)
        except WrongTargetError:
            return  # it keeps no earlier versions
        assert self.ask(back.url) == FIRST.answer

    def _grow(self, life: Life) -> None:
        try:
            life.service.scale(2, life.scene.monitor)
        except WrongTargetError:
            return  # it runs a single copy
        found = life.service.instances()
        assert [each.health for each in found if each.health] == ["healthy"] * 2
