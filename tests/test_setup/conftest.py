"""What the tests of the set-up scripts share: an engine, names of their own, and processes that are always ended."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from mldeploy.image.engine import Engine


@pytest.fixture
def engine() -> Iterator[APIClient]:
    """The machine's own engine."""
    client = Engine.connect().client
    yield client
    client.close()


@pytest.fixture
def image_name(engine: APIClient) -> Iterator[str]:
    """A name for an image, which is gone afterwards."""
    name = f"mldeploy-test/{uuid.uuid4().hex}:latest"
    yield name
    with suppress(ImageNotFound):
        engine.remove_image(name, force=True)


@pytest.fixture
def end_later() -> Iterator[Callable[[int], None]]:
    """Takes the ids of processes that must not outlive the test."""
    processes: list[psutil.Process] = []
    yield lambda number: processes.append(psutil.Process(number))
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(processes, timeout=300)
