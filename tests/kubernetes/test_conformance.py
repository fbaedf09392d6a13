"""The target `kubernetes` passes what every provider must pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.testing.suite import Conformance
from tests.aws.tiny import project_of
from tests.kubernetes.paper.server import Paper
from tests.kubernetes.stage import PaperStage


@pytest.mark.engine
class TestKubernetes(Conformance):
    """In a namespace of the app's own, with autoscaling, and without an address from outside."""

    few = 5

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: Paper, tiny: Path) -> PaperStage:
        settings = KubernetesSettings.model_validate({"ingress": "cluster-ip", "max": 2})
        return PaperStage(settings, running, project_of(tiny).app.name)

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)
