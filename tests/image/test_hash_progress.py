"""Hashing a large file shows how far it is, and ends at Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.events import Event, Progressed
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import plan
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from tests.tiny import project_of

SIZE = 8 << 30


@pytest.fixture
def large(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An app with a model of 8 GB, which takes no room on the disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = tiny / "model.bin"
    model.touch()
    os.truncate(model, SIZE)
    yield tiny
    model.unlink()


@pytest.mark.engine
def test_a_plan_shows_how_much_is_hashed_and_can_be_stopped(engine: Engine, large: Path) -> None:
    shown: list[Progressed] = []
    cancel = Cancel()

    def hear(event: Event) -> None:
        if isinstance(event, Progressed):
            shown.append(event)
            if len(shown) > 1:
                cancel.request()

    with pytest.raises(InterruptedByUser):
        plan(BuiltImage.of(project_of(large)), EngineCloud(engine), cancel, events=hear)
    first, last = shown[0].progress, shown[-1].progress
    assert first.text == "hashing files"
    assert first.in_bytes
    assert SIZE <= first.total < SIZE + 100_000
    assert 0 < first.done < last.done < SIZE * 0.9, "it did not run to its end"
