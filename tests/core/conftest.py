"""What the tests of the core share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.places import memory


@pytest.fixture
def state() -> Iterator[Path]:
    """An empty folder, gone after the test."""
    with tempfile.TemporaryDirectory(prefix="mldeploy-", dir=memory()) as name:
        yield Path(name)
