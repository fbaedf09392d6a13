"""A small app in a folder of its own, under a name that nobody else has, and what tests do with its image."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mldeploy.config.load import load
from mldeploy.config.settings import Project
from mldeploy.core.events import Event, Noted, Progress, Progressed
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import Deployed, Intent, deploy, plan
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image
from tests.names import record

APP = """\
import atexit
import os
import time

from flask import Flask, request

app = Flask(__name__)
model = open("model.bin").read()
atexit.register(print, "tidied up", flush=True)


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/slow")
def slow():
    time.sleep(float(request.args["seconds"]))
    return {"model": model}


@app.get("/worker")
def worker():
    time.sleep(0.05)
    return {"worker": os.getpid()}


@app.get("/environment")
def environment():
    return dict(os.environ)
"""
FILES = {"app.py": APP, "model.bin": "version 1", "requirements.txt": "flask==3.1.3\n"}


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files, making their folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def project(folder: Path, name: str = "shop", /, *, app: dict[str, Any] | None = None, **build: Any) -> Project:
    """The settings that this machine's user would have here, but for what is given, and for the builder: most tests
    are about what the classic one does and leaves."""
    loaded = load(folder)
    changed = replace(loaded.app, name=name, models=("model.bin",) if (folder / "model.bin").exists() else ())
    return replace(
        loaded, app=replace(changed, **(app or {})), build=replace(loaded.build, **{"builder": "classic", **build})
    )


@dataclass(frozen=True)
class Cloud:
    engine: Engine


@dataclass
class Shop:
    """The app. `events`: what the last walk told."""

    folder: Path
    engine: Engine
    name: str = field(default_factory=lambda: record(f"test-image-{uuid.uuid4().hex[:12]}"))
    events: list[Event] = field(default_factory=list)

    def project(self, **changes: Any) -> Project:
        return project(self.folder, self.name, **changes)

    def build(self, given: Project | None = None, cancel: Cancel | None = None) -> Deployed[Image]:
        """As `mldeploy build` does."""
        self.events.clear()
        goal = BuiltImage.of(given or self.project())
        state = self.folder.with_name(f"{self.folder.name}.state")
        with Journal(state, Scope(self.name, "local"), "build") as journal:
            return deploy(goal, Session(Cloud(self.engine), journal, cancel or Cancel(), self.events.append))

    def planned(self, given: Project | None = None) -> Intent:
        """What `mldeploy plan` says of the image."""
        goal = BuiltImage.of(given or self.project())
        changes = plan(goal, Cloud(self.engine), Cancel()).changes
        return next(change.intent for change in changes if change.resource == goal.resource)

    def progress(self) -> list[Progress]:
        return [event.progress for event in self.events if isinstance(event, Progressed)]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Noted)]

    def inspected(self, image: Image) -> dict[str, Any]:
        result: dict[str, Any] = self.engine.client.inspect_image(image.digest)
        return result

    @contextmanager
    def container(self, image: Image | str, **settings: Any) -> Iterator[str]:
        """A container made from an image, started, and removed at the end of the block."""
        client = self.engine.client
        limits = client.create_host_config(port_bindings={5000: ("127.0.0.1", None)}, **settings.pop("host", {}))
        reference = image if isinstance(image, str) else image.digest
        made = client.create_container(reference, ports=[5000], host_config=limits, **settings)["Id"]
        try:
            client.start(made)
            yield made
        finally:
            client.remove_container(made, force=True)

    def run(self, image: Image | str, *command: str) -> str:
        """What a command prints inside the image. Raises AssertionError if it fails."""
        client = self.engine.client
        with self.container(image, entrypoint=list(command)) as made:
            code = client.wait(made)["StatusCode"]
            text = client.logs(made).decode()
        assert code == 0, text
        return str(text).strip()

    def remove(self) -> bool:
        return catalogue.remove_images(self.engine, self.name)
