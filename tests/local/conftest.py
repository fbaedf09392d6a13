"""A world of its own for each test, and nothing left of it afterwards."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from tests.local.world import World
from tests.names import app_name, remove_app


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ports that are free, below those that the system and the engine hand out by themselves."""

    def find() -> int:
        while True:
            port = random.randint(15000, 30000)  # noqa: S311 - to be unlikely to meet another test is all it is for
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
            return port

    return find


@pytest.fixture
def world(engine: Engine, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    name = app_name()
    yield World.of(engine, tmp_path, name, free_port())
    remove_app(engine, name)
