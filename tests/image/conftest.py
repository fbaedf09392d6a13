"""An engine, and an app on it that leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.image.types import Image
from mldeploy.rehearsal.registry.program import PROGRAMS, RegistryProgram
from tests.image.shop import FILES, Shop, write
from tests.ports import reserved_port


@contextmanager
def _opened(folder: Path, engine: Engine, name: str | None = None) -> Iterator[Shop]:
    write(folder, FILES)
    shop = Shop(folder, engine, name) if name else Shop(folder, engine)
    yield shop
    if name is None:
        shop.remove()


@dataclass(frozen=True)
class Built:
    """An app that has been built once, for all tests that only look at its image."""

    shop: Shop
    image: Image


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Built]:
    with _opened(tmp_path_factory.mktemp("session") / "shop", engine) as opened:
        yield Built(opened, opened.build().out)


@pytest.fixture
def shop(tmp_path: Path, built: Built) -> Iterator[Shop]:
    """The same app in a folder of one test's own: what the dependencies of the first build took is not paid again."""
    with _opened(tmp_path / "shop", built.shop.engine, built.shop.name) as opened:
        yield opened


@pytest.fixture
def alone(tmp_path: Path, engine: Engine) -> Iterator[Shop]:
    """An app of one test's own, of which the engine knows nothing."""
    with _opened(tmp_path / "shop", engine) as opened:
        yield opened


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of a registry on this machine that is empty."""
    if not any(map(shutil.which, PROGRAMS)):
        pytest.skip("there is no registry here")
    with reserved_port() as port:
        program = RegistryProgram(tmp_path / "registry", f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"
        program.close()
