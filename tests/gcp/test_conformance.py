"""The targets `gar` and `gcr` pass what every provider must pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import list_leftover_tags
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.gar import provider as gar
from mldeploy.providers.gcp.gcr import provider as gcr
from mldeploy.providers.gcp.permissions import PUSH_PERMISSIONS
from mldeploy.providers.gcp.settings import GarSettings, GcrSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.suite import Conformance
from tests.gcp.harness import GcpStage, granted_by
from tests.gcp.others import ANOTHER, Others
from tests.tiny import project_of


def strangers(rehearsal: GcpRehearsal) -> None:
    """A repository of another app's, and one of somebody who has never heard of mldeploy."""
    others = Others(rehearsal)
    others.make_repository("another", **ANOTHER)
    others.make_repository("stranger")


class OnTheEngine(Conformance):
    """A push, and what it stands on."""

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    @pytest.fixture(autouse=True)
    def _leaves_no_name_on_the_engine(self, engine: Engine, project: Project) -> object:
        yield
        name = project.app.name
        assert list_leftover_tags(engine, f"rehearsal-project/{name}/{name}") == ()


@pytest.mark.engine
class TestGar(OnTheEngine):
    """A repository for each app."""

    target = "gar"
    few = 3

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: GcpRehearsal) -> GcpStage[GcpCloud, GarSettings]:
        return GcpStage(gar, GarSettings.model_validate({}), running, strangers, granted_by(PUSH_PERMISSIONS))


@pytest.mark.engine
class TestGcr(OnTheEngine):
    """One repository for all apps, made for this one."""

    target = "gcr"
    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: GcpRehearsal) -> GcpStage[GcpCloud, GcrSettings]:
        return GcpStage(gcr, GcrSettings.model_validate({}), running, strangers, granted_by(PUSH_PERMISSIONS))
