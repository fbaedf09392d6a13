"""Names for the apps of one test run, written down so that the next run can remove what a killed one has left."""

from __future__ import annotations

import getpass
import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from docker.errors import DockerException
from requests.exceptions import RequestException

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.image.labels import APP
from mldeploy.rehearsal.orphans import is_orphaned, owner_label, remove_orphans

LEDGERS = Path(tempfile.gettempdir()) / f"mldeploy-tests-{getpass.getuser()}"
"""A file for each process of a test run. Its name is that of its process, its lines are the names of apps."""


def app_name() -> str:
    """One that no other app on this engine has. What bears it is removed by the next run, should this one be killed."""
    return record(f"t{uuid.uuid4().hex[:10]}")


def record(name: str, folder: Path = LEDGERS) -> str:
    """Write a name down before anything bears it."""
    folder.mkdir(exist_ok=True)
    with _ledger(folder, owner_label()).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{name}\n")
    return name


def forget(folder: Path = LEDGERS) -> None:
    """This process has removed everything itself."""
    _ledger(folder, owner_label()).unlink(missing_ok=True)


def remove_leftovers(folder: Path = LEDGERS) -> None:
    """Remove what killed runs have left on the engine. What a living run owns, or one of elsewhere, stays."""
    ledgers = [each for each in folder.glob("*") if is_orphaned(each.name.replace("+", "/"))]
    with suppress(EngineError):
        engine = Engine.connect()
        try:
            remove_orphans(engine)
            for ledger in ledgers:
                with suppress(FileNotFoundError):  # another run that starts now has removed the same
                    for name in ledger.read_text(encoding="utf-8").split():
                        remove_app(engine, name)
                    ledger.unlink()
        finally:
            engine.client.close()


def remove_app(engine: Engine, name: str) -> None:
    """Remove everything on the engine that bears an app's label, and the base image that was made for it."""
    client, filters = engine.client, {"label": f"{APP}={name}"}
    for container in client.containers(all=True, filters=filters):
        with suppress(DockerException, RequestException):
            client.remove_container(container["Id"], force=True, v=True)
    for network in client.networks(filters=filters):
        with suppress(DockerException, RequestException):
            client.remove_network(network["Id"])
    references = [each["Id"] for each in client.images(filters=filters)]
    for reference in (*references, f"{name}-base:1"):
        with suppress(DockerException, RequestException):
            client.remove_image(reference, force=True)


def _ledger(folder: Path, owner: str) -> Path:
    return folder / owner.replace("/", "+").replace(os.sep, "+")
