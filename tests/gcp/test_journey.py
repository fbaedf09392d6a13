"""Google's registry from the command line, in rehearsal: both of its kinds of names, and nothing left at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from tests.aws.tiny import project_of
from tests.cli.command import Command
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine


@pytest.fixture
def mldeploy(tmp_path: Path, own: Path) -> Iterator[Command]:
    require_registry()
    command = Command(tmp_path / "home", own)
    yield command
    command("rehearse", "down")


def actions(document: dict[str, object]) -> set[str]:
    steps = document["steps"]
    assert isinstance(steps, list)
    return {step["action"] for step in steps}


def test_a_push_under_googles_names(mldeploy: Command, engine: Engine) -> None:
    app = project_of(mldeploy.folder).app.name
    first = mldeploy("push", "--target", "gar", "--rehearse", "--json")
    assert first.code == 0, first.err
    image = first.document["image"]
    assert isinstance(image, dict)
    assert f"/rehearsal-project/{app}/{app}@sha256:" in image["reference"]

    again = mldeploy("push", "--target", "gar", "--rehearse", "--json").document
    assert actions(again) == {"unchanged"}
    assert again["image"] == image
    assert mldeploy("plan", "--target", "gar", "--rehearse", "--json").document["noop"] is True

    login = mldeploy("login", "--target", "gar", "--rehearse", "--json").document
    assert login["place"] == ["rehearsal-project", "us-central1"]
    refused = mldeploy("deploy", "--target", "gar", "--rehearse")
    assert refused.code == ExitCode.USAGE
    assert "is a registry: no app runs there" in refused.err

    gone = mldeploy("destroy", "--target", "gar", "--rehearse", "--yes", "--json").document
    assert gone["removed"] == [{"kind": "gar-repository", "name": app}]
    assert catalogue.images(engine, app), "the image belongs to the engine"
    written = [path.read_text() for path in mldeploy.state.rglob("*.log")]
    assert written
    assert not any("ya29." in text or "PRIVATE KEY" in text for text in (first.out, first.err, *written))


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
