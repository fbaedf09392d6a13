"""An app of a few kilobytes, so that what is measured is the way and not the freight."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import ignore
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.image import catalogue
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from mldeploy.project.load import load_project
from tests.names import app_name


@contextmanager
def tiny_app(folder: Path, engine: Engine) -> Iterator[Path]:
    """A folder with an app that has an image of next to nothing; its images and its base go at the end."""
    name = app_name()
    base = f"{name}-base"
    engine.client.import_image_from_data(_file("base", name.encode()), repository=base, tag="1")
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text(f"FROM {base}:1\nCOPY app.py /app.py\nUSER 10001\n")
    (folder / "mldeploy.toml").write_text(
        f'[app]\nname = "{name}"\nmodels = []\n\n[build]\ndockerfile = "Dockerfile"\nbuilder = "classic"\n'
    )
    try:
        yield folder
    finally:
        catalogue.remove_images(engine, name)
        engine.client.remove_image(f"{base}:1", force=True)


def nobodys(folder: Path) -> Path:
    """A folder that can be pushed as far as its files can tell."""
    folder.mkdir()
    (folder / "app.py").write_text("app = None\n")
    (folder / "requirements.txt").write_text("")
    (folder / "mldeploy.toml").write_text('[app]\nname = "nobody"\nentry = "app:app"\nmodels = []\n')
    return folder


def project_of(folder: Path) -> Project:
    return load_project(folder).project


def edit(folder: Path) -> None:
    """Change the app: its image will be another one."""
    (folder / "app.py").write_text(f"app = {uuid.uuid4().hex!r}\n")


def build(folder: Path, engine: Engine, state: Path) -> Image:
    """What `mldeploy build` does."""
    project = project_of(folder)
    with Journal(state, Scope(project.app.name, "local"), "test") as journal:
        session = Session(EngineCloud(engine), journal, Cancel(), ignore)
        return verbs.deploy(BuiltImage.of(project), session).out


def _file(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return made.getvalue()
