"""A world of its own for each test, and nothing left of it afterwards."""

from __future__ import annotations

import contextlib
import random
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.errors import NotFound

from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP
from tests.local.world import World


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
    name = f"t{uuid.uuid4().hex[:10]}"
    yield World.of(engine, tmp_path, name, free_port())
    purge(engine, name)


def purge(engine: Engine, app: str) -> None:
    """Remove everything that bears an app's label, however the test ended."""
    client, filters = engine.client, {"label": f"{APP}={app}"}
    for container in client.containers(all=True, filters=filters):
        with contextlib.suppress(NotFound):
            client.remove_container(container["Id"], force=True, v=True)
    for image in client.images(filters=filters):
        client.remove_image(image["Id"], force=True)
