"""Releases in a row: nothing of what each of them leaves may reach a limit, or stay."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.config.secret import Secret
from mldeploy.providers.kubernetes.manifests.workload import HISTORY
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal
from mldeploy.testing.matrix import assert_same
from mldeploy.testing.scene import DeploymentUnderTest
from tests.kubernetes.stand_in import StandIn
from tests.tiny import project_of

pytestmark = [pytest.mark.engine, pytest.mark.exhaustive, pytest.mark.timeout(3600)]
RELEASES = 55


def test_many_releases_leave_a_bounded_history_and_nothing_behind(
    quick: KubernetesRehearsal, tiny: Path, tmp_path: Path
) -> None:
    stage = StandIn(provider, KubernetesSettings.model_validate({}), quick)
    stage.reset()
    foreign = Counter(stage.contents())
    project = project_of(tiny)
    first = DeploymentUnderTest(provider, stage.settings, stage.endpoints, project, tmp_path / "state")
    scenes = [release(first, number) for number in range(RELEASES)]
    for each in scenes:
        each.deploy()
    scene = scenes[-1]
    kept = Counter(each.split(" ")[0] for each in stage.contents())
    assert kept["secrets"] <= HISTORY + 2
    assert kept["configmaps"] == 1
    assert len(scene.service.releases()) <= HISTORY + 1
    assert scene.plan().is_noop
    scene.destroy()
    assert_same(stage.contents(), foreign, "after destroying")


def release(scene: DeploymentUnderTest, number: int) -> DeploymentUnderTest:
    """The same app with another variable."""
    app = replace(scene.project.app, env=(("VERSION", Secret(str(number))),))
    return replace(scene, project=replace(scene.project, app=app))
