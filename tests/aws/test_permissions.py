"""The policy for `ecr`: nothing of it is missing for a push, and nothing is too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.providers.aws.account import AwsCloud
from mldeploy.providers.aws.ecr import provider
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from tests.aws.harness import AwsStage, list_actions
from tests.aws.test_conformance import strangers
from tests.tiny import project_of

REGISTRY = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
"""What the registry itself asks for during a push: no call of the API, so the stand-in does not see it."""
REPAIRS = {"ecr:PutImageTagMutability"}
"""For a repository whose settings somebody has changed: test_repository.py."""


@pytest.mark.engine
@proves(Promise.POLICY, targets=("ecr",))
def test_a_push_uses_what_the_policy_allows(running: Rehearsal, tiny: Path, tmp_path: Path) -> None:
    """From nothing, again and away."""
    project, settings = project_of(tiny), EcrSettings.model_validate({})
    stage: AwsStage[AwsCloud, EcrSettings] = AwsStage(provider, settings, running, strangers, project)
    stage.reset()
    running.control.send("DELETE permissions")
    scene = DeploymentUnderTest(provider, settings, stage.endpoints, project, tmp_path)
    scene.deploy()
    scene.deploy()
    scene.destroy()
    unused = list_actions(stage.list_policies(project)) - set(running.control.send("GET permissions"))
    assert unused == REGISTRY | REPAIRS
