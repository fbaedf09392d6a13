"""The check before a push: when it is made, and what is seen of it. The images here are steps that only say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

import pytest

from mldeploy.check import records
from mldeploy.check.push_check import PushCheck, gate_pushes
from mldeploy.check.records import CheckSubject
from mldeploy.check.step import CheckedImage
from mldeploy.check.verdict import CheckFigures, CheckVerdict
from mldeploy.config.load import named
from mldeploy.config.settings import Project
from mldeploy.core.events import Action, ignore
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session, read
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.core.verbs import DeploymentFailedError, Intent, deploy, plan
from mldeploy.image.cloud import HasEngine
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import BaseDigest, Image

IMAGE = Image("app:1", "sha256:1", "linux/amd64", 1, ())
PASSED = CheckVerdict((), CheckFigures())
WITHOUT_ENGINE = cast("HasEngine", object())
"""Whatever starts a container on it fails."""


@dataclass(frozen=True, eq=False)
class ThatBase(BaseImage):
    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest]:
        return Seen(BaseDigest(()), ours=False)


@dataclass(frozen=True, eq=False)
class ThatImage(BuiltImage):
    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image]:
        return Seen(IMAGE)


@dataclass(frozen=True, eq=False)
class ThatRepository(RepositoryStep[HasEngine]):
    kind: ClassVar[str] = "that-repository"
    title: ClassVar[str] = "Create the repository"

    def key(self) -> Key:
        return Key("app")

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[ImageRepository] | None:
        return None

    def apply(
        self, cloud: HasEngine, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        return ImageRepository("registry/app", lambda: pytest.fail("nobody asks"))

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class ThatPush(PushedImage):
    """Writes down what it pushes. held: the registry has the image."""

    held: bool = False
    pushed: list[str] = field(default_factory=list)

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        return Seen(outs[self.image]) if self.held and outs.get(self.repository) is not None else None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        self.pushed.append(outs[self.image].reference)
        return outs[self.image]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return named("app", "--app")


def push_of(project: Project, *, held: bool = False) -> ThatPush:
    return ThatPush(ThatImage(project, ThatBase(project)), ThatRepository(), held)


def remember(project: Project, withheld: Sequence[str] = ()) -> None:
    records.remember("app", CheckSubject.of(project, IMAGE.digest, withheld), PASSED)


def actions(push: ThatPush, folder: Path, withheld: Sequence[str] = ()) -> dict[str, Action]:
    with Journal(folder, Scope("app", "far"), "push") as journal:
        session = Session(WITHOUT_ENGINE, journal, Cancel(), ignore)
        done = deploy(push, session, gates=gate_pushes(push, withheld=withheld))
    return {each.resource.kind: each.action for each in done.steps}


def test_an_image_that_has_passed_is_pushed_and_the_journal_knows_no_check(project: Project, tmp_path: Path) -> None:
    remember(project)
    push = push_of(project)
    assert actions(push, tmp_path)["checked-image"] is Action.UNCHANGED
    assert push.pushed == ["app:1"]
    assert {each.kind for each in read(tmp_path, Scope("app", "far"))} == {"image", "that-repository", "pushed-image"}


def test_an_image_that_was_not_checked_is_not_pushed(project: Project, tmp_path: Path) -> None:
    push = push_of(project)
    with pytest.raises(DeploymentFailedError) as failed:
        actions(push, tmp_path)
    assert [title for title, _ in failed.value.failures] == [CheckedImage.title]
    assert push.pushed == []


def test_a_check_without_the_secrets_of_a_target_is_not_one_with_them(project: Project, tmp_path: Path) -> None:
    remember(project)
    with pytest.raises(DeploymentFailedError):
        actions(push_of(project), tmp_path, ["API_KEY"])
    remember(project, ["API_KEY"])
    assert actions(push_of(project), tmp_path, ["API_KEY"])["checked-image"] is Action.UNCHANGED


def test_an_image_that_the_registry_has_is_not_checked(project: Project, tmp_path: Path) -> None:
    push = push_of(project, held=True)
    assert actions(push, tmp_path)["checked-image"] is Action.UNCHANGED
    assert push.pushed == []


def test_the_plan_has_a_line_for_it(project: Project) -> None:
    push = push_of(project)

    def intents() -> dict[str, Intent]:
        planned = plan(push, WITHOUT_ENGINE, Cancel(), gates=gate_pushes(push))
        return {each.resource.kind: each.intent for each in planned.changes}

    assert intents()["checked-image"] is Intent.CREATE
    remember(project)
    assert intents()["checked-image"] is Intent.UNCHANGED


def test_a_push_step_of_a_provider_s_own_is_found_by_what_its_push_ends_with(project: Project) -> None:
    @dataclass(frozen=True, eq=False)
    class Upload(ThatRepository):
        kind: ClassVar[str] = "upload"
        image: BuiltImage

    upload = Upload(ThatImage(project, ThatBase(project)))
    goal: Step[HasEngine, object] = upload
    assert gate_pushes(goal) == {}
    assert [type(each) for each in gate_pushes(goal, upload.resource).values()] == [PushCheck]


def test_it_stands_beside_the_graph_of_the_provider(project: Project) -> None:
    push = push_of(project)
    kinds = [each.kind for each in steps_of(push, gate_pushes(push))]
    assert kinds.index("image") < kinds.index("checked-image") < kinds.index("pushed-image")
    assert "checked-image" not in {each.kind for each in steps_of(push)}
