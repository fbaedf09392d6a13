"""`mldeploy policy` allows what is called, and no verb more than the app's own things need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from mldeploy.config.settings import Project
from mldeploy.providers.azure.webapp.provider import provider
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.rehearsal.azure import AzureRehearsal
from tests.azure.harness import AzureHarness, on_webapp
from tests.tiny import edit, project_of

pytestmark = pytest.mark.engine

OF_ENTRA = "Entra/"
OF_NOBODY = {"microsoft.resources/locations/operationresults/read"}
"""Whoever has begun an operation may ask for its result."""


def lived(harness: AzureHarness, folder: Path) -> None:
    """Deploy, change, go back, grow, stop, look, and remove."""
    harness.deploy()
    edit(folder)
    harness.project = project_of(folder)
    harness.deploy()
    service, monitor = harness.scene.service, harness.scene.monitor
    service.rollback("1", monitor)
    if not harness.settings.model_dump().get("max"):
        service.scale(2, monitor)
    service.stop()
    harness.deploy()
    list(service.logs(follow=False, tail=1))
    service.instances()
    harness.scene.destroy()


LARGE = {"sku": "S1", "max": 2, "registry_auth": "admin"}


@pytest.mark.parametrize(
    "values", [pytest.param({}, id="small"), pytest.param(LARGE, id="large", marks=pytest.mark.exhaustive)]
)
def test_all_that_is_called_is_in_the_policy(
    rehearsal: AzureRehearsal, own: Path, tmp_path: Path, values: dict[str, object]
) -> None:
    project: Project = project_of(own)
    harness = on_webapp(rehearsal, project, tmp_path / "state", **values)
    lived(harness, own)
    assert rehearsal.contents() == ()
    settings = WebappSettings.model_validate(values)
    policy = provider.policy(provider.connect(project, settings, rehearsal.endpoints))
    roles = cast("Sequence[Mapping[str, Any]]", policy["roles"])
    allowed = {action.lower() for role in roles for action in role["Actions"]}
    called = {call.action.lower() for call in rehearsal.calls() if not call.action.startswith(OF_ENTRA)}
    assert {
        call.replace("checknameavailability/action", "checknameavailability/read") for call in called
    } - OF_NOBODY <= allowed
    assert not any("*" in action for action in allowed)
    assert ("microsoft.authorization/roleassignments/write" in allowed) is not ("registry_auth" in values)
