"""The role that `mldeploy policy` prints is enough for a deployment, its operation and its removal, and is no wider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mldeploy.providers.capabilities import HasPolicy, Level
from mldeploy.providers.gcp.gke.provider import GkeProvider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from tests.tiny import project_of

pytestmark = pytest.mark.engine

UNUSED: Mapping[str, str] = {
    r"artifactregistry\.dockerimages\.list": "the target gcr, whose repository others use, too",
    r"artifactregistry\.repositories\.update": "another `keep_images`",
    r"artifactregistry\.tags\.get": "registries may check it when they answer a HEAD for a tag",
    r"artifactregistry\.tags\.update": "a tag that was pushed before",
    r"container\.clusters\.connect": "clusters with a DNS endpoint",
    r"container\.clusters\.update": "another number of nodes, another release channel",
    r"container\.(ingresses|thirdPartyObjects)\.\w+": "`ingress` is ingress or gateway",
    r"container\.pods\.(create|update|delete)": "the trial of a version, where there is a golden row",
    r"container\.pods\.(exec|portForward)": "`exec`, `predict` and the golden row",
    r"container\.replicaSets\.update": "the mark of a version that could not serve",
    r"container\.secrets\.\w+": "variables that are secret",
    r"serviceusage\.services\.enable": "`doctor --fix`",
}
"""Permissions that the journey does not use, by pattern, with the reason why the role has them."""


@proves(Promise.POLICY, targets=["gke"])
def test_the_role_is_enough_and_every_permission_in_it_is_used(
    rehearsal: GcpRehearsal, tiny: Path, tmp_path: Path
) -> None:
    provider = GkeProvider()
    assert isinstance(provider, HasPolicy)
    settings = GkeSettings.model_validate({"max": 2, "nodes": 1})
    scene = DeploymentUnderTest(provider, settings, rehearsal.endpoints, project_of(tiny), tmp_path / "state")
    granted = provider.policy(provider.connect(scene.project, settings, scene.endpoints))["includedPermissions"]
    assert isinstance(granted, list)
    rehearsal.restrict(granted)
    findings = list(provider.diagnose(scene.project, settings, scene.endpoints))
    assert [each for each in findings if each.level is Level.ERROR] == []
    scene.deploy()
    assert scene.service.releases()
    list(scene.service.logs(follow=False, tail=1))
    scene.service.stop()
    scene.destroy()

    unused = set(granted) - rehearsal.checked_permissions()
    assert {each for each in unused if not any(re.fullmatch(pattern, each) for pattern in UNUSED)} == set()
    assert {pattern for pattern in UNUSED if not any(re.fullmatch(pattern, each) for each in unused)} == set()
