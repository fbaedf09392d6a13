"""The role that `mldeploy policy` prints covers every call that a deployment, its operation and its removal make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.providers.capabilities import HasPolicy
from mldeploy.providers.gcp.gke.provider import GkeProvider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.scene import DeploymentUnderTest
from tests.tiny import project_of

pytestmark = pytest.mark.engine

FREE = {"iam.serviceAccounts.getAccessToken", "google.longrunning.Operations.GetOperation"}
"""For these nobody needs a permission."""
VERBS = {"get": "get", "list": "list", "watch": "list", "patch": "update", "delete": "delete", "create": "create"}
"""What IAM calls what RBAC calls so."""


def needed(action: str) -> Iterator[str]:
    """The permissions that a call needs, by IAM's names in lower case."""
    verb, _, thing = action.partition(" ")
    if not thing:
        yield action.lower()
    elif thing == "pods/log":
        yield "container.pods.getlogs"
    elif not thing.startswith("/"):
        kind = thing.partition(".")[0].replace("httproutes", "thirdpartyobjects")
        yield f"container.{kind}.{VERBS[verb]}"
        if verb == "patch":  # server-side apply makes what is not there
            yield f"container.{kind}.create"


def test_every_call_is_covered(rehearsal: GcpRehearsal, tiny: Path, tmp_path: Path) -> None:
    provider = GkeProvider()
    assert isinstance(provider, HasPolicy)
    settings = GkeSettings.model_validate({"max": 2, "nodes": 1})
    scene = DeploymentUnderTest(provider, settings, rehearsal.endpoints, project_of(tiny), tmp_path / "state")
    allowed = provider.policy(provider.connect(scene.project, settings, scene.endpoints))["includedPermissions"]
    assert isinstance(allowed, list)
    list(provider.diagnose(scene.project, settings, scene.endpoints))
    scene.deploy()
    assert scene.service.releases()
    list(scene.service.logs(follow=False, tail=1))
    scene.service.stop()
    scene.destroy()

    called = {call.action for call in rehearsal.calls()} - FREE
    required = {permission for action in called for permission in needed(action)}
    assert len(required) > 30
    assert required <= {each.lower() for each in allowed}
