"""The target `gke` passes what every provider must pass; its pods answer without a container behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.cloud import container_v1 as gke

from mldeploy.config.settings import Project
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.suite import Conformance
from tests.gcp.harness import GcpStage, granted_by
from tests.gcp.others import ANOTHER, Others
from tests.tiny import project_of

BY_UID = re.compile(r"^(compute:\w+ )a[0-9a-f]{31}$")
"""What GKE names after the id of a Service."""
BY_CLUSTER = re.compile(r"^(compute:disk gke-.+-)[0-9a-f]{8}(-\d+[a-f])$")
"""What it names after the id of a cluster, which another of the same name does not have."""


@dataclass(frozen=True)
class GkeStage(GcpStage[GkeCloud, GkeSettings]):
    """What is named at random is told without that part of its name."""

    def contents(self) -> Sequence[str]:
        return [BY_CLUSTER.sub(r"\1\2", BY_UID.sub(r"\1", each)) for each in super().contents()]


def strangers(rehearsal: GcpRehearsal) -> None:
    """A repository of somebody who never heard of mldeploy, and a cluster of another app's."""
    others = Others(rehearsal)
    others.make_repository("stranger")
    labels = {**ANOTHER, "mldeploy-target": "gke"}
    cluster = gke.Cluster(name="another", initial_node_count=1, resource_labels=labels)
    others.clusters.create_cluster(parent=others.parent("us-central1-a"), cluster=cluster)


@pytest.mark.engine
class TestGke(Conformance):
    """A cluster, and the app in it. A case is a whole deployment and its removal: the quick tests try few."""

    target = "gke"
    few = 1

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, running: GcpRehearsal) -> GkeStage:
        return GkeStage(provider, GkeSettings.model_validate({}), running, strangers, granted_by(DEPLOY_PERMISSIONS))

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tiny: Path) -> Project:
        return project_of(tiny)


@pytest.mark.engine
@proves(Promise.SECRETS, targets=("gke",))
def test_a_secret_lives_in_the_cluster(running: GcpRehearsal, tiny: Path, tmp_path: Path) -> None:
    """Before there is one, the command says what to do. `destroy` removes the secret with the cluster."""
    stage = GkeStage(provider, GkeSettings.model_validate({}), running, strangers, granted_by(DEPLOY_PERMISSIONS))
    stage.reset()
    scene = DeploymentUnderTest(provider, stage.settings, stage.endpoints, project_of(tiny), tmp_path / "state")
    with pytest.raises(AbsentError, match="there is no cluster yet"):
        scene.set_secret("API_KEY", "an-unguessable-value")
    scene.deploy()
    scene.set_secret("API_KEY", "an-unguessable-value")
    assert not scene.plan().is_noop
    scene.deploy()
    assert scene.plan().is_noop
    assert [each.name for each in scene.secrets.list()] == ["API_KEY"]
    scene.destroy()
    assert scene.secrets.list() == ()
    assert not scene.journals
