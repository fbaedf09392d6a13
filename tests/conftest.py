"""What holds for every test: those that need a Docker engine say so where there is none, the others share it."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from mldeploy.core.redaction import forget_all
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from tests.names import forget, remove_leftovers
from tests.tiny import build, tiny_app

settings.register_profile(
    "unhurried",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")  # what is slow here is the machine


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that starts the others removes what killed runs have left."""
    if not hasattr(session.config, "workerinput"):
        remove_leftovers()


def pytest_unconfigure() -> None:
    """Every process has removed its own by now, also what its session's fixtures had."""
    forget()


MANY_OPEN = 256
"""Open descriptors of a process, far below what it may have and `select` can take."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip on a developer's machine without an engine; where CI is set, such a test fails instead.

    The clients of clouds and engines that earlier tests have left close their connections only when they are collected:
    they refer to themselves, and a process that holds much else is seldom searched for such.
    """
    if psutil.Process().num_fds() > MANY_OPEN:
        gc.collect()
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


@pytest.fixture(autouse=True)
def _no_known_secrets() -> None:
    """Forget the secrets of earlier tests in this process: they would be removed from the texts of this one."""
    forget_all()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The one of this machine."""
    engine = Engine.connect(600)  # for an answer: it may be busy with the other processes' tests
    yield engine
    engine.client.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Path]:
    """A folder with an app whose image is built already."""
    place = tmp_path_factory.mktemp("tiny")
    with tiny_app(place / "app", engine) as folder:
        build(folder, engine, place / "state")
        yield folder


@pytest.fixture
def own(tmp_path: Path, engine: Engine) -> Iterator[Path]:
    """The same for one test alone, which may change it; its image is not built yet."""
    with tiny_app(tmp_path / "own", engine) as folder:
        yield folder
