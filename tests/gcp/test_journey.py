"""Google's registry under an old name from the command line, in rehearsal; tests/targets has what all targets do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.rehearsal.available import require_registry
from tests.tiny import project_of

pytestmark = pytest.mark.engine


@pytest.fixture
def mldeploy(tmp_path: Path, own: Path) -> Iterator[Command]:
    require_registry()
    command = Command(tmp_path / "home", own)
    yield command
    command("rehearse", "down")


def test_a_push_under_an_old_name(mldeploy: Command) -> None:
    app = project_of(mldeploy.folder).app.name
    pushed = mldeploy("push", "--target", "gcr", "--region", "eu", "--rehearse", "--json")
    assert pushed.code == 0, pushed.err
    assert "eu.gcr.io is an old name, which Artifact Registry serves today" in pushed.err
    image = pushed.document["image"]
    assert isinstance(image, dict)
    assert f"/rehearsal-project/eu.gcr.io/{app}@sha256:" in image["reference"]
    gone = mldeploy("destroy", "--target", "gcr", "--region", "eu", "--rehearse", "--yes", "--json").document
    assert gone["removed"] == [{"kind": "gcr-repository", "name": "eu.gcr.io"}]
    written = [path.read_text() for path in mldeploy.state.rglob("*.log")]
    assert written
    assert not any("ya29." in text or "PRIVATE KEY" in text for text in (pushed.out, pushed.err, *written))
