"""A specimen for each test, and nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.image.catalogue import remove_images
from mldeploy.image.engine import Engine
from tests.check.specimen import Specimen


@pytest.fixture
def specimen(engine: Engine, tmp_path: Path) -> Iterator[Specimen]:
    made = Specimen(engine, tmp_path)
    yield made
    for container in made.containers:
        engine.client.remove_container(container, force=True, v=True)
    remove_images(engine, made.name)  # the newest first: one may stand on another
