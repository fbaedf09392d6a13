"""A deployment to Fargate from the first to the last command, in rehearsal: a real image, real tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mldeploy.config import load as config
from mldeploy.core import verbs
from mldeploy.core.events import Action, ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.client import AppClient
from mldeploy.image.engine import Engine
from mldeploy.image.running.errors import VerdictError
from mldeploy.project.inspect import inspect
from mldeploy.providers.aws.fargate.operate import FargateService
from mldeploy.providers.aws.fargate.provider import provider
from mldeploy.providers.aws.fargate.settings import FargateSettings
from mldeploy.providers.base import Address
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.scene import Scene
from tests.aws.fargate.served import ServedApp, served_app

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Journey:
    """An app, whoever deploys it, and the account that it is deployed to."""

    app: ServedApp
    rehearsal: Rehearsal
    state: Path

    @property
    def scene(self) -> Scene:
        settings = config.target_settings(self.app.folder, provider.name, FargateSettings)
        return Scene(provider, settings, self.rehearsal.endpoints, inspect(self.app.folder).project, self.state)

    @property
    def service(self) -> FargateService:
        scene = self.scene
        settings = FargateSettings.model_validate(scene.settings.model_dump())
        cloud = provider.connect(scene.project, settings, scene.endpoints)
        return FargateService(cloud, scene.project, settings)

    @property
    def monitor(self) -> Monitor:
        return Monitor(Resource("service", Key(self.app.name)), ignore, Cancel())

    def deploy(self) -> verbs.Deployed[Address]:
        done = self.scene.deploy()
        assert isinstance(done.out, Address)
        return verbs.Deployed(done.out, done.steps)

    def fail(self) -> VerdictError:
        with pytest.raises(DeploymentFailedError) as failed:
            self.scene.deploy()
        error = failed.value.failures[0][1]
        assert isinstance(error, VerdictError)
        return error

    def answer(self, url: str) -> object:
        with AppClient(url) as client:
            return client.predict("/predict_api", {})

    def writing(self, since: int) -> list[str]:
        return [call.action for call in self.rehearsal.calls()[since:] if call.writing]


@pytest.fixture
def journey(rehearsal: Rehearsal, tmp_path: Path, engine: Engine) -> Iterator[Journey]:
    with served_app(tmp_path / "app", engine) as app:
        yield Journey(app, rehearsal, tmp_path / "state")


def test_from_a_folder_to_a_url_and_back(journey: Journey) -> None:
    """Deployed, left alone, broken, rolled back, removed."""
    done = journey.deploy()
    assert journey.answer(done.out.url) == {"version": "one", "secret": ""}
    assert done.out.image.reference.count("@sha256:") == 1

    before = len(journey.rehearsal.calls())
    assert {step.action for step in journey.deploy().steps} == {Action.UNCHANGED}
    assert journey.writing(before) == []

    journey.app.write("two")
    second = journey.deploy().out
    assert journey.answer(second.url) == {"version": "two", "secret": ""}
    assert second.remarks == (f"moved here from {done.out.url}",)

    journey.app.write("three", before="import nothing_of_the_kind")
    verdict = journey.fail()
    assert verdict.cause == "the module nothing_of_the_kind is not in the image (exit code 1)"
    assert verdict.exit_status == 1
    assert verdict.log[-1] == "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    assert journey.answer(second.url) == {"version": "two", "secret": ""}

    service = journey.service
    assert [(each.revision, each.state) for each in service.releases()] == [
        ("3", "failed"),
        ("2", "serving"),
        ("1", "old"),
    ]
    back = service.rollback("1", journey.monitor)
    assert journey.answer(back.url) == {"version": "one", "secret": ""}
    assert "serving one" in list(service.logs(follow=False, tail=0))
    assert [each.url for each in service.instances()] == [back.url]

    assert journey.scene.destroy().removed
    assert journey.rehearsal.contents() == ()
    assert journey.service.url() is None
