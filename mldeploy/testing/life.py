"""Conformance tests of targets that run apps: changes, broken versions, rollback, scaling, removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from mldeploy.app.client import AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.project.golden import Json
from mldeploy.providers.base import Address, Service
from mldeploy.providers.capabilities import CanExec, Streams
from mldeploy.providers.errors import WrongTargetError
from mldeploy.testing.matrix import assert_same
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import ROUTE, SampleApp, SampleVersion
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import AnyStage

FIRST = SampleVersion()
CHANGES = {
    "code": replace(FIRST, code="two"),
    "model": replace(FIRST, model="second"),
    "size": replace(FIRST, memory="3g"),
    "port": replace(FIRST, port=9090),
    "environment": replace(FIRST, greeting="good day"),
}
EVERYTHING = SampleVersion("two", "second", "good day", 9090, "3g")
MISSING = "nothing_of_the_kind"
LOOK_EVERY, LOG_SECONDS = 0.5, 300.0
"""How often, and how long at most, to look for a line of the log: a platform may show it after the app has said it."""


@dataclass(frozen=True)
class AppLife:
    """One app on one provider under test. foreign: the contents of the account before the first deployment."""

    stage: AnyStage
    app: SampleApp
    state: Path
    foreign: Counter[str]

    @property
    def scene(self) -> DeploymentUnderTest:
        """The deployment of the folder's present content."""
        stage = self.stage
        return DeploymentUnderTest(stage.provider, stage.settings, stage.endpoints, self.app.project, self.state)

    @property
    def service(self) -> Service:
        return self.scene.service

    def deploy(self, version: SampleVersion) -> Address:
        self.app.write(version)
        out = self.scene.deploy().out
        assert isinstance(out, Address)
        return out

    def break_(self, version: SampleVersion) -> VerdictError:
        """Deploy a version that cannot serve; return the verdict."""
        self.app.write(version)
        return self.failure()

    def failure(self) -> VerdictError:
        """Deploy the folder, which must fail; return the verdict."""
        with pytest.raises(DeploymentFailedError) as failed:
            self.scene.deploy()
        assert failed.value.exit_code is ExitCode.FAILED
        verdict = failed.value.failures[0][1]
        assert isinstance(verdict, VerdictError), verdict
        return verdict

    def end(self) -> None:
        """Destroy the deployment. Assert that only foreign resources remain."""
        assert self.scene.destroy().removed
        assert_same(self.stage.contents(), self.foreign, "after destroying")
        assert not self.scene.journals


class LifeSuite:
    """A subclass defines the fixtures `stage`, whose stand-in runs images, and `sample`, a `SampleApp`."""

    target: ClassVar[str] = ""
    """The target's name, for the table of promises."""
    unsupported: ClassVar[frozenset[Promise]] = frozenset()
    """What the target does not offer, of HISTORY, SCALE and EXEC. The suite expects that it refuses them."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls) -> AnyStage:
        """The provider and its stand-in."""
        raise NotImplementedError("a subclass returns its ProviderUnderTest")

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls) -> SampleApp:
        """The app. Each version is written to its folder."""
        raise NotImplementedError("a subclass creates the app (`sample_app`)")

    @pytest.fixture
    def life(self, stage: AnyStage, sample: SampleApp, tmp_path: Path) -> Iterator[AppLife]:
        """The app in an account that holds foreign resources."""
        stage.reset()
        stage.add_foreign()
        yield AppLife(stage, sample, tmp_path / "state", Counter(stage.contents()))
        stage.reset()

    def ask(self, url: str) -> Json:
        """Return the app's answer. A subclass may map the URL to the stand-in's address."""
        with AppClient(url) as client:
            return client.predict(ROUTE, {})


class RolloutSuite(LifeSuite):
    """Every change is deployed, and a broken version does not replace the one that serves.

    sized: the platform stores a container's memory, so that changing it changes the deployment.
    """

    sized: ClassVar[bool] = True

    def test_what_is_changed_arrives(self, life: AppLife) -> None:
        """Change everything at once, then change it back."""
        self._arrive(life, [EVERYTHING, FIRST])

    @pytest.mark.exhaustive
    @proves(Promise.LOGS, Promise.STOP, Promise.EXEC)
    def test_it_is_followed_stopped_and_started_again(self, life: AppLife) -> None:
        life.deploy(FIRST)
        followed = life.service.logs(follow=True, tail=0)
        assert any("serving" in line for line in followed)  # ends at the first such line
        self._run_a_command(life)
        assert life.service.stop()
        assert not any(each.health == "healthy" for each in life.service.instances())
        assert self.ask(life.deploy(FIRST).url) == FIRST.answer
        life.end()

    def _run_a_command(self, life: AppLife) -> None:
        service = life.service
        if Promise.EXEC in self.unsupported:
            assert not isinstance(service, CanExec)
            return
        assert isinstance(service, CanExec)
        out = bytearray()
        assert service.execute(["python3", "-c", "print(6 * 7)"], "", Streams(out.extend, out.extend)) == 0
        assert out == b"42\n"

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_alone_arrives(self, life: AppLife, change: str) -> None:
        self._arrive(life, [CHANGES[change]], is_seen=self.sized or change != "size")

    @proves(Promise.OLD_VERSION, Promise.VERDICT, Promise.HISTORY, Promise.SCALE)
    def test_a_broken_version_leaves_the_old_one_and_what_served_before_comes_back(self, life: AppLife) -> None:
        first = life.deploy(FIRST)
        verdict = life.break_(replace(FIRST, code="broken", before=f"import {MISSING}"))
        assert f"the module {MISSING} is not in the image" in verdict.cause
        assert verdict.exit_status == 1
        assert verdict.log[-1] == f"ModuleNotFoundError: No module named '{MISSING}'"
        assert verdict.todo
        assert self.ask(first.url) == FIRST.answer

        second = replace(FIRST, code="two")
        assert self.ask(life.deploy(second).url) == second.answer
        looks = life.scene.monitor.attempts(every=LOOK_EVERY, within=LOG_SECONDS)
        assert any(self._has_said(life, "serving two") for _ in looks)
        assert [each.state for each in life.service.releases()].count("serving") == 1
        self._go_back(life)
        self._grow(life)
        life.end()
        assert life.service.url() is None

    def _has_said(self, life: AppLife, text: str) -> bool:
        """Whether a line ends with a text. A platform may prefix each line with the instance."""
        return any(each.endswith(text) for each in life.service.logs(follow=False, tail=0))

    def _arrive(self, life: AppLife, versions: Sequence[SampleVersion], *, is_seen: bool = True) -> None:
        assert self.ask(life.deploy(FIRST).url) == FIRST.answer
        for version in versions:
            life.app.write(version)
            assert life.scene.plan().is_noop is not is_seen
            assert self.ask(life.deploy(version).url) == version.answer
            assert life.scene.plan().is_noop
        life.end()

    def _go_back(self, life: AppLife) -> None:
        if self._refuses(Promise.HISTORY, lambda: life.service.rollback(None, life.scene.monitor)):
            return
        back = life.service.rollback(None, life.scene.monitor)
        assert self.ask(back.url) == FIRST.answer

    def _refuses(self, promise: Promise, operation: Callable[[], object]) -> bool:
        """Whether the target does not support an operation. Assert that it then refuses it."""
        if promise not in self.unsupported:
            return False
        with pytest.raises(WrongTargetError):
            operation()
        return True

    def _grow(self, life: AppLife) -> None:
        if self._refuses(Promise.SCALE, lambda: life.service.scale(2, life.scene.monitor)):
            return
        life.service.scale(2, life.scene.monitor)
        instances = life.service.instances()
        assert [each.health for each in instances if each.health] == ["healthy"] * 2
