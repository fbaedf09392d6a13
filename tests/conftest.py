"""What holds for every test: those that need a Docker engine say so where there is none."""

from __future__ import annotations

import functools
import os

import pytest

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip on a developer's machine without an engine; where CI is set, such a test fails instead."""
    if item.get_closest_marker("engine") and "CI" not in os.environ and (missing := _missing()):
        pytest.skip(missing)


@functools.cache
def _missing() -> str:
    """What stands between the tests and an engine, or nothing."""
    try:
        Engine.connect().client.close()
    except EngineError as error:
        return f"no Docker engine for this test: {error}"
    return ""
