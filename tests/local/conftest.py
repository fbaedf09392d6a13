"""A world of its own for each test, and nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.providers.local import checks, drift
from tests.local.world import World
from tests.names import app_name, remove_app
from tests.ports import reserved_port


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Ports that are this test's alone."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(reserved_port())


@pytest.fixture(autouse=True)
def limits() -> Iterator[pytest.MonkeyPatch]:
    """An app or an engine that a slow machine lets wait is not taken for one that hangs, except by `impatient`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "ANSWER_SECONDS", 300)
        patch.setattr(checks, "CHECK_SECONDS", 300)
        yield patch


@pytest.fixture
def impatient(limits: pytest.MonkeyPatch) -> None:
    """The time limits that users have."""
    limits.undo()


@pytest.fixture
def world(engine: Engine, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    name = app_name()
    yield World.of(engine, tmp_path, name, free_port())
    remove_app(engine, name)
