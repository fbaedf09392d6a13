"""The target `dockerhub` passes what every provider must pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import list_leftover_tags
from mldeploy.providers.dockerhub.account import HubCloud
from mldeploy.providers.dockerhub.provider import provider
from mldeploy.providers.dockerhub.settings import DockerHubSettings
from mldeploy.rehearsal.dockerhub import HubRehearsal
from mldeploy.rehearsal.dockerhub.repositories import USER
from mldeploy.testing.rehearsal import RehearsalStage
from mldeploy.testing.stage import CloudT, SettingsT
from mldeploy.testing.suite import Conformance
from tests.dockerhub.harness import ANOTHER, DirectHubClient
from tests.tiny import project_of


@dataclass(frozen=True)
class HubStage(RehearsalStage[CloudT, SettingsT, HubRehearsal]):
    """The rehearsal of Docker Hub, with another app's repository and somebody's who has never heard of mldeploy."""

    def add_foreign(self) -> None:
        others = DirectHubClient(self.rehearsal)
        others.make("another", ANOTHER)
        others.make("stranger")


@pytest.mark.engine
class TestDockerHub(Conformance):
    """A push, and what it stands on."""

    target = "dockerhub"
    few = 3

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: HubRehearsal) -> HubStage[HubCloud, DockerHubSettings]:
        return HubStage(provider, DockerHubSettings.model_validate({}), running)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    @pytest.fixture(autouse=True)
    def _leaves_no_name_on_the_engine(self, engine: Engine, project: Project) -> object:
        yield
        assert list_leftover_tags(engine, f"{USER}/{project.app.name}") == ()
