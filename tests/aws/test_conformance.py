"""The target `ecr` passes what every provider must pass."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from mldeploy.config.settings import Project
from mldeploy.image.engine import Engine
from mldeploy.image.registry.push import list_leftover_tags
from mldeploy.providers.aws.account import AwsCloud
from mldeploy.providers.aws.ecr import provider
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.suite import Conformance
from tests.aws.harness import AwsStage
from tests.tiny import project_of


def strangers(rehearsal: Rehearsal, session: boto3.Session) -> None:
    """A repository of another app's, and one of somebody who has never heard of mldeploy."""
    ecr = session.client("ecr", endpoint_url=rehearsal.endpoints.url)
    tags = [{"Key": "mldeploy:app", "Value": "another"}, {"Key": "mldeploy:target", "Value": "ecr"}]
    ecr.create_repository(repositoryName="another", tags=tags)  # type: ignore[arg-type]  # the stub wants its own dict
    ecr.create_repository(repositoryName="stranger")


@pytest.mark.engine
class TestEcr(Conformance):
    """A push, and what it stands on, by a user who has what `mldeploy policy` prints."""

    target = "ecr"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: Rehearsal, project: Project) -> AwsStage[AwsCloud, EcrSettings]:
        return AwsStage(provider, EcrSettings.model_validate({}), running, strangers, project)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    @pytest.fixture(autouse=True)
    def _leaves_no_name_on_the_engine(self, engine: Engine, project: Project) -> object:
        yield
        assert list_leftover_tags(engine, project.app.name) == ()
