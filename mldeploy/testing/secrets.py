"""Conformance tests of targets with a secret store: the life of a secret, and the fault matrices of its commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.testing.life import FIRST, AppLife, LifeSuite
from mldeploy.testing.matrix import CRASHES, PASSING, FaultMatrix, sweep
from mldeploy.testing.plugin import CASES
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import AnyStage, Fault
from mldeploy.testing.suite import spread

NAME, OTHER = "GREETING_KEY", "OTHER_KEY"
VALUE, CHANGED = "an-unguessable-value-1", "an-unguessable-value-2"


def _set(scene: DeploymentUnderTest) -> None:
    scene.set_secret(NAME, VALUE)


def _unset(scene: DeploymentUnderTest) -> None:
    scene.unset_secret(NAME)


class SecretMatrix(FaultMatrix):
    """The commands of `mldeploy secrets`, and `destroy` of an app that has nothing but a secret."""

    verbs: ClassVar[Mapping[str, Callable[[DeploymentUnderTest], object]]] = {
        "set": _set,
        "unset": _unset,
        "destroy": DeploymentUnderTest.destroy,
    }

    def precede(self, scene: DeploymentUnderTest, verb: str) -> None:
        if verb != "set":
            _set(scene)

    def repeat(self, scene: DeploymentUnderTest, verb: str) -> None:
        if verb == "destroy":
            _set(scene)

    def complete(self, scene: DeploymentUnderTest) -> None:
        _set(scene)


class SecretConformance:
    """A subclass defines the fixtures `stage` and `project`, as for `Conformance`."""

    few = 2
    target: ClassVar[str] = ""

    @pytest.fixture(scope="class")
    @classmethod
    def matrix(cls, stage: AnyStage, project: Project, tmp_path_factory: pytest.TempPathFactory) -> SecretMatrix:
        """The matrix, after one run without faults."""
        return SecretMatrix(stage, project, tmp_path_factory.mktemp("secrets"))

    @pytest.fixture
    def scene(self, matrix: SecretMatrix) -> DeploymentUnderTest:
        return matrix.scene()

    @proves(Promise.SECRETS)
    def test_the_life_of_a_secret(self, scene: DeploymentUnderTest, matrix: SecretMatrix) -> None:
        """Set before the first deployment, and each change is a difference that never shows a value."""
        first = scene.set_secret(NAME, VALUE)
        assert scene.set_secret(NAME, VALUE).version == first.version
        assert [each.name for each in scene.secrets.list()] == [NAME]
        assert scene.secrets.read(NAME) == Secret(VALUE)
        scene.deploy()
        assert scene.plan().is_noop
        assert scene.set_secret(NAME, CHANGED).version != first.version
        self._expect_difference(scene)
        scene.deploy()
        assert scene.plan().is_noop
        assert scene.unset_secret(NAME)
        assert not scene.unset_secret(NAME)
        assert scene.secrets.read(NAME) is None
        self._expect_difference(scene)
        scene.deploy()
        assert scene.plan().is_noop
        scene.destroy()
        matrix.ended(scene)

    def _expect_difference(self, scene: DeploymentUnderTest) -> None:
        reasons = " ".join(reason for change in scene.plan().changes for reason in change.reasons)
        assert NAME in reasons
        assert VALUE not in reasons
        assert CHANGED not in reasons

    @proves(Promise.SECRETS, Promise.TEARDOWN)
    def test_destroy_removes_the_secrets_of_the_app(self, scene: DeploymentUnderTest, matrix: SecretMatrix) -> None:
        """Also without the journal, as on another machine, and a name can be used again at once."""
        for name in (NAME, OTHER):
            scene.set_secret(name, VALUE)
        assert scene.unset_secret(OTHER)
        scene.set_secret(OTHER, CHANGED)
        shutil.rmtree(scene.state)
        assert scene.destroy().removed
        assert scene.secrets.list() == ()
        matrix.ended(scene)

    def test_a_variable_with_two_values_is_refused(self, scene: DeploymentUnderTest, matrix: SecretMatrix) -> None:
        scene.set_secret(NAME, VALUE)
        app = replace(scene.project.app, env=((NAME, Secret(CHANGED)),))
        conflicting = replace(scene, project=replace(scene.project, app=app))
        with pytest.raises(DeploymentFailedError) as refused:
            conflicting.deploy()
        assert isinstance(refused.value.failures[0][1], ConfigError)
        scene.destroy()
        matrix.ended(scene)

    def test_a_value_that_is_too_large_is_refused(self, scene: DeploymentUnderTest, matrix: SecretMatrix) -> None:
        with pytest.raises(RefusedError, match=NAME):
            scene.set_secret(NAME, "x" * (scene.secrets.limit + 1))
        matrix.ended(scene)

    @proves(Promise.SECRETS)
    def test_the_matrices_of_the_commands(
        self, matrix: SecretMatrix, record_property: Callable[[str, object], None]
    ) -> None:
        self._try(matrix, record_property, self.few)

    @pytest.mark.exhaustive
    @pytest.mark.timeout(3600)
    def test_every_case_of_the_matrices(
        self, matrix: SecretMatrix, record_property: Callable[[str, object], None]
    ) -> None:
        self._try(matrix, record_property, 0)

    def _try(self, matrix: SecretMatrix, tell: Callable[[str, object], None], few: int) -> None:
        kinds = (("crash", CRASHES, matrix.crash), ("fault", PASSING, matrix.fault))
        for name, blows, attempt in (*kinds, ("permission", (Fault.DENIED,), matrix.denial)):
            every = list(matrix.undisturbed.cases(blows))
            cases = [each for each in every if self.is_tried(each.verb, each.action) or name != "permission"]
            chosen = spread(cases, few) if few else cases
            tell(CASES, f"{matrix.stage.provider.name}: {name} matrix of secrets: {len(chosen)} of {len(cases)} cases")
            sweep(chosen, attempt)

    def is_tried(self, verb: str, action: str) -> bool:
        """Whether a command fails without a permission. Some targets go on without one that they may not need."""
        return True


class SecretArrivalSuite(LifeSuite):
    """The app gets the value as a variable. A subclass is as for `RolloutSuite`."""

    @proves(Promise.SECRETS)
    def test_a_stored_secret_arrives(self, life: AppLife) -> None:
        plain = replace(FIRST, before=f"os.environ.update(GREETING=os.environ.get({NAME!r}, 'none'))")
        assert self.ask(life.deploy(plain).url) == {**plain.answer, "greeting": "none"}
        for value in (VALUE, CHANGED):
            life.scene.set_secret(NAME, value)
            assert self.ask(life.deploy(plain).url) == {**plain.answer, "greeting": value}
        assert life.scene.unset_secret(NAME)
        assert self.ask(life.deploy(plain).url) == {**plain.answer, "greeting": "none"}
        life.scene.set_secret(NAME, VALUE)
        life.end()
