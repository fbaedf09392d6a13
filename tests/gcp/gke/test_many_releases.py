"""Releases go on: nothing that a release leaves behind reaches a limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.provider import provider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.providers.kubernetes.manifests.workload import HISTORY
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.scene import DeploymentUnderTest
from tests.gcp.gke.test_conformance import GkeStage, strangers
from tests.gcp.harness import granted_by
from tests.tiny import project_of

RELEASES = 55
"""More than any platform's limit of names, tags or revisions that could fill up."""


@pytest.mark.engine
@pytest.mark.exhaustive
def test_the_fifty_fifth_release_is_deployed_like_the_first(running: GcpRehearsal, tiny: Path, tmp_path: Path) -> None:
    settings = GkeSettings.model_validate({})
    stage = GkeStage(provider, settings, running, strangers, granted_by(DEPLOY_PERMISSIONS))
    stage.reset()
    stage.add_foreign()
    foreign = stage.contents()
    project, state = project_of(tiny), tmp_path / "state"
    scene = DeploymentUnderTest(provider, settings, stage.endpoints, project, state)
    for number in range(RELEASES):
        released = replace(project, app=replace(project.app, env=(("RELEASE", Secret(str(number))),)))
        scene = replace(scene, project=released)
        scene.deploy()
    assert scene.plan().is_noop
    known = scene.service.releases()
    assert [each.state for each in known].count("serving") == 1
    assert 1 < len(known) <= HISTORY + 1
    scene.destroy()
    assert stage.contents() == foreign
