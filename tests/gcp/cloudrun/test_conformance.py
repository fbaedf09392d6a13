"""The target `cloudrun` passes what every provider must pass; its instances answer without a container behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.permissions import RUN_PERMISSIONS, STORE_PERMISSIONS
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.suite import Conformance
from tests.earlier_permissions import EarlierPermissions
from tests.gcp.cloudrun.harness import make_strangers
from tests.gcp.harness import GcpStage, granted_by
from tests.tiny import project_of

LISTED = "secretmanager.secrets.list"


@pytest.mark.engine
class TestCloudRun(Conformance):
    """A service with its account and its images."""

    target = "cloudrun"
    few = 2

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: GcpRehearsal) -> GcpStage[CloudRunCloud, CloudRunSettings]:
        return GcpStage(
            provider, CloudRunSettings.model_validate({}), running, make_strangers, granted_by(RUN_PERMISSIONS)
        )

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    def is_required(self, action: str) -> bool:
        """An app without stored secrets is deployed and removed without the list of them."""
        return action != LISTED


@pytest.mark.engine
class TestSecrets(EarlierPermissions):
    """The app's secrets are in Secret Manager."""

    target = "cloudrun"
    listed = LISTED

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: GcpRehearsal) -> GcpStage[CloudRunCloud, CloudRunSettings]:
        granted = granted_by({**RUN_PERMISSIONS, **STORE_PERMISSIONS})
        return GcpStage(provider, CloudRunSettings.model_validate({}), running, make_strangers, granted)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)

    def is_tried(self, verb: str, action: str) -> bool:
        """A removal goes on without the list, which earlier roles do not allow: the journal knows the secrets."""
        return verb != "destroy" or action != LISTED
