"""An app on a rehearsal whose instances are simulated."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.cloudrun.harness import RunHarness
from tests.tiny import project_of


@pytest.fixture
def run(rehearsal: GcpRehearsal, tiny: Path, tmp_path: Path) -> RunHarness:
    return RunHarness(rehearsal, project_of(tiny), tmp_path / "state", {})
